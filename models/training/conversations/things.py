"""Families of facts about dates, objects and counts, and lists to repeat. See `notation`."""

from models.training.conversations.notation import family
from models.training.conversations.nouns import COUNTS, EVENTS, LIST_NAMES, OBJECTS

WHEN = family(
    "when",
    """
    told
        My KK is on VV. | My KK is VV. | I have a KK on VV. | I have my KK on VV. | The KK is on VV. | There is a KK
        on VV. | Remind me that my KK is on VV. | My KK is at VV. | My KK takes place on VV. | The user's KK is on VV.
        | I've got a KK on VV. | My KK is in VV. | My KK will be on VV. | My KK will be in VV. | My KK starts on VV. |
        My KK is planned for VV. | My KK is set for VV. | My KK is due on VV. | My KK happens on VV. | My KK is going
        to be on VV. | My KK takes place in VV. | My next KK is on VV. | My KK is coming up on VV. | The date of my KK
        is VV. | The day of my KK is VV. | The KK is in VV. | The KK will be on VV. | The KK takes place on VV. | I
        have a KK in VV. | I have a KK coming up on VV. | I have the KK on VV. | I've got my KK on VV. | I booked my
        KK for VV. | I planned my KK for VV. | I'm having my KK on VV. | I'll have my KK on VV. | I will have a KK on
        VV. | I must go to my KK on VV. | I need to be at my KK on VV. | We have a KK on VV. | We planned the KK for
        VV. | They set my KK for VV. | There will be a KK on VV. | There's a KK on VV. | On VV I have a KK. | On VV I
        have my KK. | On VV there is my KK. | VV is the day of my KK. | VV is the date of my KK. | VV is when I have
        my KK. | VV is when my KK is. | Put my KK on VV. | Write down my KK for VV. | Save the date of my KK: VV. |
        Remember my KK on VV. | Don't forget my KK on VV. | My KK: VV. | Please note my KK on VV.
    asked
        When is my KK? | When's my KK? | What day is my KK? | Which day is my KK? | Do you remember when my KK is? |
        Do you know when my KK is? | Tell me when my KK is. | When did I say my KK is? | When was my KK again? | On
        which day is my KK? | Is my KK on WW? | When do I have my KK? | What date is my KK? | And when is my KK? |
        When exactly is my KK? | When will my KK be? | When is the KK? | When is my next KK? | When does my KK start?
        | When does my KK happen? | When does my KK take place? | When do I go to my KK? | When do I have a KK? | When
        do I have the KK? | When do we have the KK? | When did I plan my KK? | When did I book my KK? | When did I say
        I have my KK? | When did I say my KK was? | When did I tell you my KK is? | When must I be at my KK? | When is
        my KK going to be? | When is it, my KK? | What day do I have my KK? | What day will my KK be? | What is the
        date of my KK? | What's the date of my KK? | What is the day of my KK? | What date do I have my KK? | Which
        date is my KK? | Which day do I have my KK? | Which day will my KK be? | On what day is my KK? | On which day
        do I have my KK? | On which date is my KK? | In which month is my KK? | What did I say about my KK? | What did
        I tell you about the date of my KK? | My KK is when? | My KK is on? | My KK, when is it? | Tell me the date of
        my KK. | Tell me the day of my KK. | Can you tell me when my KK is? | Could you tell me when my KK is? |
        Please tell me when my KK is. | Do you know the date of my KK? | Do you remember the date of my KK? | Remind
        me when my KK is. | Remind me of the date of my KK. | I forgot when my KK is. | I forgot the date of my KK. |
        You know when my KK is, right? | So when is my KK? | Did I tell you when my KK is? | Have I told you when my
        KK is?
    corrected
        Actually my KK is on VV. | My KK was moved to VV. | No, my KK is on VV. | They moved my KK to VV. | My KK is
        on VV now. | My KK is not on WW, it is on VV. | Actually my KK is VV. | Actually, the KK is on VV. | No, my KK
        is VV. | No, the KK is on VV. | Oh, my KK is on VV. | Wait, my KK is on VV. | Oops, my KK is on VV. | Sorry,
        my KK is on VV. | I meant my KK is on VV. | I was wrong, my KK is on VV. | I made a mistake, my KK is on VV. |
        My KK isn't on WW, it's on VV. | My KK isn't on WW but on VV. | My KK is not on WW but on VV. | My KK was on
        WW, now it's on VV. | My KK was changed to VV. | My KK has moved to VV. | My KK was put off to VV. | My KK has
        a new date, VV. | My KK has a new date: VV. | The new date of my KK is VV. | The date of my KK is now VV. |
        The KK was moved to VV. | They changed my KK to VV. | They put my KK on VV. | I moved my KK to VV. | I changed
        my KK to VV. | We moved the KK to VV. | Move my KK to VV. | Please move my KK to VV. | From now on my KK is on
        VV. | Correction: my KK is on VV. | Update: my KK is on VV. | To correct myself, my KK is on VV.
    clauses
        when my KK is | when I have my KK | which day my KK is | what day my KK is on | when my KK will be | when my
        KK was | when my KK takes place | what date my KK is | what the date of my KK is | on which day my KK is
    things
        the date of my KK | the day of my KK | the date for my KK
    first
        When was my KK at first? | When was my KK before? | When was my KK before it was moved? | When did I first say
        my KK is? | When was my KK originally? | What was the first date of my KK? | What was the old date of my KK? |
        When was my KK in the beginning? | What was the original date of my KK? | When was my KK planned at first?
    theirs told
        OO has a KK on VV. | OO has the KK on VV. | The KK of OO is on VV. | OO's got a KK on VV. | OO planned the KK
        for VV. | OO told me that the KK is on VV.
    theirs asked
        When is the KK of OO? | When does OO have a KK? | When does OO have the KK? | And OO's KK? | On which day does
        OO have a KK?
    replies
        Your KK is on VV. | Noted, your KK is on VV. | Okay, your KK is on VV now. | I don't know when your KK is. |
        At first your KK was on VV.
    """,
    EVENTS,
    weight=1.5,
    owned=True,
    near=("placed", "named"),
)

PLACED = family(
    "placed",
    """
    told
        My KK are in the VV. | I put my KK in the VV. | I left my KK in the VV. | I keep my KK in the VV. | My KK are
        on the VV. | The KK are in the VV. | I placed my KK on the VV. | My KK is in the VV. | My KK lies in the VV. |
        My KK is on the VV. | My KK is by the VV. | My KK can be found in the VV. | My KK should be in the VV. | My KK
        is lying on the VV. | My KK lies on the VV. | You can find my KK in the VV. | I put my KK on the VV. | I left
        my KK on the VV. | I left my KK at the VV. | I keep my KK on the VV. | I always keep my KK in the VV. | I have
        put my KK in the VV. | I've put my KK in the VV. | I've left my KK in the VV. | I hid my KK in the VV. | I
        stored my KK in the VV. | I saw my KK in the VV. | I found my KK in the VV. | I dropped my KK in the VV. | I
        placed my KK in the VV. | I forgot my KK in the VV. | The place of my KK is the VV. | In the VV are my KK. |
        In the VV is my KK. | The VV is where my KK is. | The VV is where I keep my KK. | Remember that my KK is in
        the VV. | The KK is in the VV. | We keep our KK in the VV.
    asked
        Where are my KK? | Where did I leave my KK? | Where did I put my KK? | Where is my KK? | Where do I keep my
        KK? | Do you remember where my KK are? | Tell me where my KK are. | I can't find my KK. | Do you know where I
        left my KK? | Where can I find my KK? | Where could my KK be? | Where have I put my KK? | Where have I left my
        KK? | Where did I hide my KK? | Where did I store my KK? | Where did I place my KK? | Where did I see my KK? |
        Where did I say my KK is? | Where did I say I put my KK? | Where did I tell you my KK is? | Where should I
        look for my KK? | Where must I look for my KK? | Where's my KK? | Where did my KK go? | Where do we keep the
        KK? | Where is the KK? | Where are the KK? | Where were my KK? | Where was my KK? | In which place is my KK? |
        In what place did I leave my KK? | What did I do with my KK? | What is the place of my KK? | Do you know where
        my KK is? | Do you remember where I put my KK? | Tell me where my KK is. | Tell me where I left my KK. | Can
        you tell me where my KK is? | Could you tell me where I put my KK? | I'm looking for my KK. | I need my KK,
        where is it? | I can't find my KK, where is it? | I forgot where I put my KK. | I lost my KK, where is it? |
        Remind me where my KK is. | And where is my KK? | So where are my KK? | Help me find my KK. | Have you seen my
        KK?
    corrected
        Actually my KK are in the VV. | I moved my KK to the VV. | My KK are in the VV now. | No, my KK are in the VV.
        | Actually my KK is in the VV. | No, my KK is in the VV. | My KK is in the VV now. | My KK is now in the VV. |
        Sorry, my KK is in the VV. | Wait, my KK is in the VV. | I meant my KK is in the VV. | I moved my KK from the
        WW to the VV. | My KK is not in the WW, it is in the VV. | My KK isn't in the WW but in the VV. | I put my KK
        in the VV instead. | I put my KK in the VV now. | Now my KK is in the VV. | I keep my KK in the VV now. |
        Correction: my KK is in the VV. | Update: my KK is in the VV. | I was wrong, my KK is in the VV. | They moved
        my KK to the VV. | I took my KK and put it in the VV.
    clauses
        where my KK is | where my KK are | where I put my KK | where I left my KK | where I keep my KK | where to find
        my KK | where I can find my KK | where my KK was | where I have put my KK
    things
        the place of my KK | the place where I keep my KK | the place where I left my KK
    replies
        Your KK: in the VV. | Noted, your KK: in the VV. | Okay, your KK: in the VV now. | I don't know where your KK
        went.
    """,
    OBJECTS,
    near=("counted", "when"),
)

COUNTED = family(
    "counted",
    """
    told
        I have VV KK. | I've got VV KK. | We have VV KK. | There are VV KK at home. | I own VV KK. | The user has VV
        KK. | I have exactly VV KK. | I have only VV KK. | I have about VV KK. | I have got VV KK. | I've got about VV
        KK. | I've got exactly VV KK. | I already have VV KK. | I live with VV KK. | I take care of VV KK. | I am the
        owner of VV KK. | We've got VV KK. | We own VV KK. | We have exactly VV KK. | In total I have VV KK. | All in
        all I have VV KK. | Altogether I have VV KK. | At home I have VV KK. | At home we have VV KK. | There are VV
        KK in my family. | There are VV KK in my life. | There are VV KK in my house. | VV KK live with me. | VV is
        the number of KK I have. | The number of KK I have is VV. | The number of my KK is VV. | My number of KK is
        VV.
    asked
        How many KK do I have? | How many KK have I got? | Do you remember how many KK I have? | How many KK do we
        have? | Tell me how many KK I have. | How many KK did I say I have? | Do I have WW KK? | How many KK are
        there? | How many KK are mine? | How many KK do I own? | How many KK do I have now? | How many KK do I have at
        home? | How many KK do I have in total? | How many KK did I tell you I have? | How many KK have I? | How many
        KK live with me? | How many KK have we got? | How many KK are there at home? | How many KK are in my family? |
        What number of KK do I have? | What is the number of KK I have? | What is the number of my KK? | What's my
        number of KK? | Do you know how many KK I have? | Do you know the number of my KK? | Do I have any KK? | Do I
        have KK, and how many? | Can you tell me how many KK I have? | Could you tell me how many KK I have? | Please
        tell me how many KK I have. | Tell me the number of my KK. | Remind me how many KK I have. | I forgot how many
        KK I have. | And how many KK do I have? | So how many KK do I have? | Did I tell you how many KK I have? |
        What did I say about the number of my KK?
    corrected
        Actually I have VV KK. | I have VV KK now. | No, I have VV KK. | Now I have VV KK. | Actually I've got VV KK.
        | Actually we have VV KK. | No, I've got VV KK. | No, we have VV KK. | Sorry, I have VV KK. | Wait, I have VV
        KK. | Oh, I have VV KK. | I meant I have VV KK. | I was wrong, I have VV KK. | I don't have WW KK, I have VV
        KK. | I have VV KK, not WW. | I had WW KK, but now I have VV KK. | By now I have VV KK. | I've got VV KK now.
        | We have VV KK now. | Correction: I have VV KK. | Update: I have VV KK. | My number of KK is VV now. | The
        number of my KK is now VV.
    clauses
        how many KK I have | how many KK we have | how many KK there are | how many KK I've got | what number of KK I
        have | how many KK I own | how many KK live with me
    things
        the number of my KK | the number of KK I have
    replies
        Your number of KK is VV. | Okay, your number of KK is VV. | Okay, your number of KK is VV now. | I don't know
        how many KK you have.
    """,
    COUNTS,
    near=("placed", "named"),
)

LISTED = family(
    "list",
    """
    told
        My KK is VV. | On my KK: VV. | On my KK are VV. | My KK: VV. | My KK has VV. | My KK has VV on it. | I have VV
        on my KK. | I've got VV on my KK. | I put VV on my KK. | I wrote VV on my KK. | Put VV on my KK. | Please put
        VV on my KK. | Please add VV to my KK. | Remember my KK: VV. | Please remember my KK: VV. | This is my KK: VV.
        | Here is my KK: VV. | Here's my KK: VV. | The things on my KK are VV. | There are VV on my KK. | My KK
        contains VV. | My KK includes VV. | Write down my KK: VV. | Save my KK: VV. | Keep my KK in mind: VV. | My KK
        for today is VV. | My KK says VV. | The user's KK is VV. | VV are on my KK. | I made my KK: VV. | I have a KK
        with VV. | I have a KK: VV. | I made a KK with VV. | The KK is VV.
    asked
        What is on my KK? | What's on my KK? | Read me my KK. | What did I put on my KK? | What did I write on my KK?
        | What does my KK say? | What is my KK? | What do I have on my KK? | What have I got on my KK? | Which things
        are on my KK? | What things are on my KK? | What are the things on my KK? | What was on my KK? | What was on
        my KK again? | Tell me my KK. | Tell me what is on my KK. | Tell me what's on my KK. | Can you tell me what is
        on my KK? | Can you read me my KK? | Could you read my KK to me? | Repeat my KK. | Please repeat my KK. | Can
        you repeat my KK? | Show me my KK. | Give me my KK. | Do you remember my KK? | Do you remember what is on my
        KK? | Do you know what is on my KK? | Do you still have my KK? | Remind me what is on my KK. | I forgot my KK.
        | I forgot what is on my KK. | I need my KK. | And my KK? | And what's on my KK? | What did I say is on my KK?
        | What did I say my KK was? | What does my KK contain? | What's in my KK? | List what is on my KK. | Is there
        anything on my KK? | Everything on my KK, please. | Read my KK. | Say my KK again.
    corrected
        Actually my KK is VV. | My KK is VV now. | No, my KK is VV. | My new KK is VV. | Sorry, my KK is VV. | I
        changed my KK to VV. | I changed my KK, it's VV now. | Now my KK is VV. | My KK is now VV. | Change my KK to
        VV. | Please change my KK to VV. | I have a new KK: VV. | Here is my new KK: VV. | Wait, my KK is VV. |
        Correction: my KK is VV. | Update: my KK is VV. | Forget the old one, my KK is VV.
    clauses
        what is on my KK | what's on my KK | what I put on my KK | what I have on my KK | what my KK is | what was on
        my KK | what I wrote on my KK | what things are on my KK
    things
        my KK | the things on my KK | everything on my KK
    first
        What was on my KK at first? | What was my KK at first? | What did I first put on my KK? | What was on my KK
        before I changed it? | What was my first KK? | What was my old KK? | What was on my KK before? | What was on
        my KK originally?
    theirs told
        OO has a KK: VV. | OO has VV on the KK. | OO put VV on the KK. | The KK of OO is VV.
    theirs asked
        What is on the KK of OO? | What does OO have on the KK? | What did OO put on the KK? | And OO's KK?
    replies
        On your KK: VV. | Noted, on your KK: VV. | Okay, on your KK now: VV. | I don't know your KK yet. | At first on
        your KK: VV.
    """,
    LIST_NAMES,
    weight=0.0,
    owned=True,
    listed=True,
    near=(),
)

BARE = family(
    "words",
    """
    told
        Remember these: VV. | Remember these words: VV. | Please remember these: VV. | Please remember VV for me. |
        Remember VV. | Here are some words to remember: VV. | These are the words: VV. | The words are VV. | My words
        are VV. | Keep these in mind: VV. | Memorise these: VV. | Please memorise VV. | Note these: VV. | Note down
        VV. | Write these down: VV. | I want you to remember VV. | Learn these
        words: VV. | Don't forget these: VV. | Remember the following: VV. | The following words: VV. | I'll give you
        some words: VV. | Let me give you some words: VV. | Try to remember VV. | Keep VV in mind. | Save these words:
        VV. | Take a note: VV.
    asked
        What were the words? | Which words did I give you? | What should you remember? | Repeat the words. | What were
        the words I gave you? | What did I ask you to remember? | What did I tell you to remember? | Which words
        should you remember? | Can you repeat the words? | Say the words. | Say the words again. | Tell me the words.
        | Please repeat the words. | Could you repeat the words? | Do you remember the words? | Do you remember the
        words I gave you? | Do you still know the words? | What words did I tell you? | Which words did I tell you? |
        What are the words? | List the words. | What were those words? | What were they, the words? | I forgot the
        words. | And the words? | What were the things to remember? | Repeat what I asked you to remember. | Tell me
        what I asked you to remember. | Give me the words.
    corrected
        Actually remember these: VV. | No, the words are VV. | Now remember these: VV. | The words are now VV. |
        Sorry, the words are VV. | The new words are VV. | Forget the old words, remember VV. | I changed the words:
        VV. | Wait, the words are VV. | Correction: the words are VV. | Instead remember VV.
    clauses
        what the words are | what the words were | which words I gave you | what you should remember | what I asked
        you to remember | which words to remember
    things
        the words | the words I gave you | the words to remember | those words
    first
        What were the words at first? | What were the first words I gave you? | Which words did I give you first? |
        What were the old words? | What were the words before I changed them?
    replies
        The words: VV. | Noted, the words: VV. | Okay, the words now: VV. | You gave me no words yet. | At first the
        words were: VV.
    """,
    weight=0.0,
    listed=True,
    near=("list",),
)
