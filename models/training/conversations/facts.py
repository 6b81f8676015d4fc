"""Families of facts of which a conversation holds many: names, favourites, properties, and one's own name.

See `notation` for how phrasings are written.

Notable choices
* The key stands at most four words before the value in every answer and acknowledgement: the neighbour windows of
  encoder and decoder reach that far, and binding is learned through them.
* The assistant repeats a fact when it is told one, in one form per family.
"""

from models.training.conversations.notation import family
from models.training.conversations.nouns import ANIMALS, LIKES, PEOPLE, PROPERTIES, THINGS

NAMED = family(
    "named",
    """
    told
        My KK is called VV. | My KK's name is VV. | My KK is named VV. | The name of my KK is VV. | I have a KK called
        VV. | I have a KK named VV. | I've got a KK called VV. | I've got a KK named VV. | I have a KK. The name is
        VV. | I have a KK. His name is VV. | I have a KK. Her name is VV. | I have a KK and his name is VV. | I have a
        KK and her name is VV. | I have a KK and it is called VV. | VV is my KK. | VV is my KK's name. | VV is the
        name of my KK. | I called my KK VV. | I named my KK VV. | We call our KK VV. | We named our KK VV. | Our KK is
        called VV. | Our KK's name is VV. | This is my KK VV. | My KK VV is here. | My KK VV is ill today. | My KK VV
        says hello. | I got a new KK and named it VV. | I have a new KK called VV. | We have a KK called VV. | We just
        got a KK, VV. | Did I tell you my KK is called VV? | You should know that my KK is called VV. | Please
        remember that my KK is called VV. | Remember my KK's name: VV. | Remember this: my KK is called VV. | Don't
        forget that my KK's name is VV. | My KK goes by VV. | Everyone calls my KK VV. | My KK, VV, is great. | I love
        my KK VV. | I went out with my KK VV. | I live with my KK VV. | My KK: VV. | The user's KK is called VV. |
        User has a KK named VV. | The name of the user's KK is VV. | I want to tell you about my KK. The name is VV. |
        I am looking after my KK VV. | My KK has the name VV. | My KK's full name is VV. | My KK is known as VV. | My
        KK answers to VV. | My KK answers to the name VV. | My KK's name happens to be VV. | I gave my KK the name VV.
        | I decided to call my KK VV. | I chose the name VV for my KK. | We decided to name our KK VV. | We gave our
        KK the name VV. | We have a KK named VV. | We've got a KK called VV. | I have a lovely KK called VV. | I have
        a little KK called VV. | I have a wonderful KK named VV. | There is a KK in my life called VV. | I own a KK
        called VV. | I have one KK, VV. | I have one KK and its name is VV. | I have a KK, and VV is the name. | I
        have a KK, VV. | I've had a KK called VV for years. | I met a KK called VV. | Meet my KK VV. | Let me
        introduce my KK VV. | Say hello to my KK VV. | You can call my KK VV. | VV is what my KK is called. | VV is
        what I call my KK. | VV is what we call our KK. | The KK I have is called VV. | The KK is called VV. | The
        KK's name is VV. | That's my KK VV. | That is my KK, VV. | It's my KK VV again. | My KK VV came by. | My KK VV
        is great. | I saw my KK VV today. | I miss my KK VV. | I was with my KK VV. | I spent the day with my KK VV. |
        I'm very proud of my KK VV. | About my KK: the name is VV. | As for my KK, the name is VV. | So my KK is
        called VV. | The thing is, my KK is called VV. | I think I told you that my KK is called VV. | My KK will be
        called VV. | Our KK goes by VV. | Our KK has the name VV. | My own KK is called VV. | My dear KK is called VV.
        | They named my KK VV. | My KK got the name VV. | My KK's real name is VV. | My KK, whose name is VV, is nice.
        | My KK who is called VV is here. | It's good to have a KK like VV. | VV, my KK, is here. | VV, my KK, says
        hello. | VV is our KK. | VV is the name of our KK.
    asked
        What is my KK called? | What is my KK's name? | What's my KK's name? | What's my KK called? | What is the name
        of my KK? | What's the name of my KK? | What was my KK's name? | What was the name of my KK? | What was my KK
        called? | Do you remember my KK's name? | Do you remember the name of my KK? | Do you remember what my KK is
        called? | Do you know my KK's name? | Do you know the name of my KK? | Do you know what my KK is called? | Can
        you remember my KK's name? | Can you tell me my KK's name? | Can you tell me the name of my KK? | Could you
        tell me what my KK is called? | Tell me my KK's name. | Tell me the name of my KK. | Tell me what my KK is
        called. | What did I call my KK? | What did I name my KK? | What do I call my KK? | What do we call our KK? |
        What name did I give my KK? | Which name did I give to my KK? | Who is my KK? | Remind me what my KK is
        called. | Remind me of my KK's name. | Remind me of the name of my KK. | I forgot my KK's name. | I forgot my
        KK's name, what is it? | I can't remember my KK's name. | I forget what my KK is called. | What did I say my
        KK was called? | What did I say my KK's name was? | What did I tell you my KK's name was? | What was my KK's
        name again? | So what's my KK's name again? | My KK's name is? | And my KK's name? | And my KK? | And what is
        my KK called? | How is my KK called? | Have I told you my KK's name? | Did I tell you my KK's name? | Do I
        have a KK? | Is my KK called WW? | What is our KK called? | What's our KK's name? | Name of my KK? | What name
        does my KK have? | I would like to know my KK's name. | Say my KK's name. | You know my KK's name, right? |
        What is the name I gave my KK? | What name do I use for my KK? | What name does my KK go by? | What does my KK
        go by? | By what name do you know my KK? | What would you call my KK? | What do people call my KK? | What do
        they call my KK? | How do I call my KK? | How did I call my KK? | Which name belongs to my KK? | What name
        belongs to my KK? | What is that KK of mine called? | What is the KK I have called? | What was the name of
        that KK of mine? | What's that name of my KK again? | What is my KK known as? | My KK is called what? | My KK
        is called? | My KK is named? | My KK has which name? | My KK has what name? | How is my KK named? | What's my
        KK named? | What is my KK named? | What was my KK named? | What did we name our KK? | What did we call our KK?
        | What name did we give our KK? | What name did I choose for my KK? | What name did I mention for my KK? |
        What did I tell you about my KK's name? | What did I tell you my KK was called? | Do I have a KK, and what is
        the name? | And the name of my KK? | And my KK, what's the name? | My KK, what is the name? | About my KK,
        what was the name? | Could you give me my KK's name? | Give me my KK's name. | Give me the name of my KK. |
        Please say the name of my KK. | Please tell me my KK's name. | Let me hear my KK's name. | Try to remember my
        KK's name. | Will you tell me my KK's name? | Would you remember my KK's name? | You remember my KK's name,
        don't you? | You know what my KK is called, right? | Any idea what my KK is called? | I wonder what my KK is
        called. | I need my KK's name. | I need the name of my KK. | I'm trying to remember my KK's name. | It's my
        KK's name that I forgot. | Who was my KK again? | Who did I say my KK is? | Who's my KK?
    corrected
        Actually my KK is called VV. | Actually my KK is called VV now. | Actually, my KK's name is VV. | No, my KK is
        called VV. | No wait, my KK is called VV. | Sorry, my KK is called VV. | I meant my KK is called VV. |
        Correction: my KK is called VV. | We renamed our KK to VV. | I renamed my KK VV. | My KK is now called VV. |
        My KK's name is VV now. | My KK's name is not WW, it is VV. | My KK is not called WW but VV. | I was wrong, my
        KK is called VV. | My KK changed name to VV. | From now on my KK is called VV. | I have a new KK now, called
        VV. | Actually, we named our KK VV. | Actually the name of my KK is VV. | No, the name of my KK is VV. | No,
        my KK's name is VV. | Sorry, my KK's name is VV. | Oh, my KK is called VV. | Wait, my KK is called VV. | Oops,
        my KK is called VV. | It's VV, that is my KK's name. | The correct name of my KK is VV. | I made a mistake, my
        KK is called VV. | I misspoke, my KK is called VV. | To correct myself, my KK is called VV. | I should have
        said that my KK is called VV. | My KK isn't called WW, it's VV. | My KK isn't WW, my KK is VV. | Not WW, my KK
        is called VV. | I said WW, but my KK is called VV. | Forget WW, my KK is called VV. | My KK used to be called
        WW, now it's VV. | My KK was called WW, but now the name is VV. | My KK has a new name, VV. | My KK has a new
        name: VV. | My KK's new name is VV. | The new name of my KK is VV. | I call my KK VV now. | We call our KK VV
        now. | My KK goes by VV now. | I gave my KK a new name, VV. | I changed my KK's name to VV. | We changed our
        KK's name to VV. | Please change my KK's name to VV. | Change my KK's name to VV. | Update: my KK is called
        VV. | Starting today my KK is called VV. | My KK is no longer called WW, it is VV. | These days my KK is
        called VV. | Let me correct that, my KK is called VV.
    clauses
        what my KK is called | what my KK's name is | what the name of my KK is | who my KK is | what I call my KK |
        what I named my KK | what I called my KK | what my KK is named | what name my KK has | which name my KK has |
        what we call our KK | what my KK was called | what my KK's name was | how my KK is called | what name I gave
        my KK | what our KK is called
    things
        my KK's name | the name of my KK | my KK | our KK's name | the name of our KK | the name I gave my KK | the
        name that my KK has
    first
        What was my KK called at first? | What did I first call my KK? | What did I call my KK at first? | What was my
        KK's name at first? | What was my KK's first name before I changed it? | What was my KK called before? | What
        was my KK's name before I changed it? | What was my KK called before I changed it? | What was my KK called
        originally? | What was the first name I told you for my KK? | What was my KK called in the beginning? | What
        did I say first, what was my KK called? | What was the original name of my KK? | What name did I give my KK
        first? | Which name did my KK have first? | What was my KK's old name? | How was my KK called before? | Before
        the change, what was my KK called?
    theirs told
        OO has a KK called VV. | OO has a KK named VV. | OO has a KK, VV. | OO has a KK and the name is VV. | OO calls
        the KK VV. | The KK of OO is called VV. | OO's got a KK called VV. | OO named the KK VV. | OO got a KK called
        VV. | I know OO's KK, the name is VV. | I met OO's KK VV. | OO told me that the KK is called VV. | VV is the
        KK of OO.
    theirs asked
        What did OO call the KK? | What is the KK of OO called? | What did OO name the KK? | What is the name of the
        KK that OO has? | How is OO's KK called? | And OO's KK? | And OO's? | What does OO call the KK? | OO has a KK,
        what is the name?
    replies
        Your KK is called VV. | Got it, your KK is called VV. | Okay, your KK is called VV now. | I don't know your
        KK's name yet. | At first your KK was called VV.
    """,
    (*PEOPLE, *ANIMALS, *THINGS),
    weight=8.0,
    owned=True,
    near=("favourite", "they live", "their age", "their birthday", "they like"),
)

SELF = family(
    "self",
    """
    told
        My name is VV. | I'm VV. | I am VV. | Call me VV. | You can call me VV. | I'm called VV. | I am called VV. |
        They call me VV. | People call me VV. | My friends call me VV. | This is VV. | VV here. | My name's VV. | I go
        by VV. | Nice to meet you, I'm VV. | Hello, my name is VV. | Please call me VV. | The name's VV. | It's me,
        VV. | Let me introduce myself. I'm VV. | Hi there, VV here. | The user's name is VV. | The user is called VV.
        | Hello, I am VV, how are you? | My first name is VV and I'm new here. | I was named VV. | My parents named me
        VV. | My parents call me VV. | Everyone calls me VV. | Everybody knows me as VV. | My full name is VV. | I am
        known as VV. | People know me as VV. | I'm the one called VV. | It's VV here. | I'm VV, nice to meet you. | I
        am VV, by the way. | Hi, I'm VV. | Hello, I'm VV. | Hey, I'm VV. | Hi, my name is VV. | Hey there, my name is
        VV. | VV is my name. | VV is what they call me. | VV is what people call me. | You may call me VV. | Just call
        me VV. | Feel free to call me VV. | You are talking to VV. | You're talking with VV. | This is VV speaking. |
        VV speaking. | I have the name VV. | My name happens to be VV. | I answer to the name VV. | Remember my name:
        VV. | Please remember that I am VV. | Don't forget, my name is VV. | Good morning, I'm VV. | Good evening, my
        name is VV. | I'd like you to call me VV. | I want to be called VV. | I prefer to be called VV. | At home they
        call me VV. | At work they call me VV. | Let me introduce myself, my name is VV. | I should introduce myself,
        I'm VV.
    asked
        What is my name? | What's my name? | Who am I? | What am I called? | Do you remember my name? | Do you know my
        name? | Do you know who I am? | Do you remember who I am? | Do you remember me? | Can you tell me my name? |
        Tell me my name. | Say my name. | What did I say my name was? | What was my name again? | What was my name? |
        Do you still know my name? | Remind me of my name. | Have I told you my name? | Did I tell you my name? | I
        forgot my own name. | What do you call me? | What should you call me? | How am I called? | My name is? | And
        my name? | And who am I? | Is my name WW? | What name did I give you? | What's my own name? | What is my own
        name? | Which name do I have? | What name do I have? | What do people call me? | What do they call me? | What
        do my friends call me? | By what name do you know me? | Who is talking to you? | Who are you talking to? | Who
        is it you are talking to? | Who do you think I am? | Do you know who this is? | Could you tell me who I am? |
        Can you say my name? | Could you say my name? | Please say my name. | Please tell me my name. | Give me my
        name. | I want to hear my name. | What did I tell you my name was? | What did I tell you about my name? | What
        name did I tell you? | How did I introduce myself? | What was the name I gave you? | You know my name, right?
        | You remember my name, don't you? | You know who I am, don't you? | Did you forget my name? | Have you
        forgotten my name? | My name, please? | So who am I? | So what is my name? | Now what's my name? | Can you
        remember who I am? | Can you remember my name? | What's the name of the person you talk to? | What is the
        user's name? | I forgot my name. | I can't remember my own name. | I'm called? | I am called what?
    corrected
        Actually my name is VV. | No, my name is VV. | Sorry, my name is VV. | Call me VV from now on. | I meant my
        name is VV. | I'm not WW, I'm VV. | My name is not WW, it is VV. | Actually, call me VV. | I changed my name
        to VV. | Correction: my name is VV. | My name is VV now. | From now on my name is VV. | From now on call me
        VV. | Please call me VV instead. | Call me VV instead. | Call me VV, not WW. | Don't call me WW, call me VV. |
        I'm not called WW, I'm called VV. | Oh, my name is VV. | Wait, my name is VV. | Oops, my name is VV. | No, I'm
        VV. | No, call me VV. | No, it's VV, that's my name. | I made a mistake, my name is VV. | I misspoke, my name
        is VV. | I go by VV now. | People call me VV now. | My new name is VV. | I have a new name, VV. | I have a new
        name: VV. | Please change my name to VV. | Change my name to VV. | Update: my name is VV. | I was called WW,
        but now I'm VV. | I'd rather be called VV. | I used to be WW, now I'm VV. | To correct myself, I'm VV.
    clauses
        what my name is | who I am | what I am called | what I'm called | what people call me | what my name was |
        which name I have | how I am called | what to call me | what you should call me
    things
        my name | my own name | the name I gave you | the name I told you
    first
        What was my name at first? | What did I first say my name was? | What was my name before I changed it? | What
        was my name before? | What was I called at first? | What was I called before? | What name did I give you
        first? | What was my first name before I changed it? | What was my old name? | Who was I at first? | What was
        my name originally? | What was my original name?
    replies
        Your name is VV. | Nice to meet you, VV. | Okay, your name is VV now. | I don't know your name yet. | At first
        your name was VV.
    """,
    weight=2.0,
    near=("origin", "lives", "age", "job"),
)

LIKED = family(
    "favourite",
    """
    told
        My favourite KK is VV. | VV is my favourite KK. | The KK I like best is VV. | The KK I love most is VV. | The
        KK I like most is VV. | My favourite KK has always been VV. | I think my favourite KK is VV. | I like the KK
        VV best. | I'd say my favourite KK is VV. | My most loved KK is VV. | My favourite KK of all time is VV. | Of
        every KK, I like VV the most. | Please remember that my favourite KK is VV. | Did you know that my favourite
        KK is VV? | My favourite KK: VV. | For me the best KK is VV. | The best KK is VV. | The user's favourite KK is
        VV. | If I had to pick a favourite KK it would be VV. | Our favourite KK is VV. | VV is the KK I like best. |
        VV is the KK I love most. | VV is the best KK for me. | VV is the best KK there is. | VV is the best KK I
        know. | VV is the KK for me. | VV has always been my favourite KK. | My favourite KK is called VV. | My
        favourite KK would be VV. | My favourite KK must be VV. | My favourite KK is probably VV. | My favourite KK is
        definitely VV. | My very favourite KK is VV. | My own favourite KK is VV. | My favourite kind of KK is VV. |
        My number one KK is VV. | The KK I prefer is VV. | The KK that I like most is VV. | The KK that I love is VV.
        | The KK I always choose is VV. | I love the KK VV. | I love the KK VV the most. | I like the KK VV most. | I
        prefer the KK VV. | I like VV best as a KK. | When it comes to KK, I like VV best. | When it comes to KK, VV
        is the best. | As for my favourite KK, it's VV. | If you ask me, the best KK is VV. | To me, VV is the best
        KK. | I have a favourite KK and it is VV. | I have a favourite KK, VV. | I have a favourite KK: VV. | No KK is
        better than VV. | There is no better KK than VV. | Nothing beats VV as a KK. | In my opinion VV is the best
        KK. | In my opinion the best KK is VV. | My KK of choice is VV. | I would choose VV as my favourite KK. | I'm
        a fan of the KK VV. | My all time favourite KK is VV. | VV, that is my favourite KK. | Favourite KK: VV. |
        Since I was a kid my favourite KK has been VV.
    asked
        What is my favourite KK? | What's my favourite KK? | Which KK do I like best? | Which KK do I like most? |
        Which KK do I love most? | What KK do I like best? | What KK do I like? | Which is my favourite KK? | Do you
        remember my favourite KK? | Do you know my favourite KK? | Do you know what my favourite KK is? | Do you
        remember which KK I like best? | Tell me my favourite KK. | Can you tell me my favourite KK? | What did I say
        my favourite KK was? | What was my favourite KK? | What was my favourite KK again? | Remind me what my
        favourite KK is. | I forgot my favourite KK. | What KK is my favourite? | My favourite KK is? | And my
        favourite KK? | And what is my favourite KK? | Is my favourite KK WW? | Have I told you my favourite KK? |
        Guess my favourite KK. | What would you say is my favourite KK? | What's the KK I like best? | What is the KK
        I like most? | What is the KK I love most? | What KK do I love? | What KK do I like most? | What KK do I love
        most? | What KK do I prefer? | Which KK do I prefer? | Which KK do I love? | Which KK do I like? | Which KK is
        my favourite? | Which KK is the best for me? | Which KK did I say I like best? | Which KK did I say was my
        favourite? | What KK did I say I like? | What KK do I like the best? | What is the best KK for me? | What is
        the best KK in my opinion? | In my opinion, what is the best KK? | What's the best KK if you ask me? | What is
        my number one KK? | What's my KK of choice? | What would be my favourite KK? | What might be my favourite KK?
        | My favourite KK, what is it? | My favourite KK, please? | So what's my favourite KK? | So what is my
        favourite KK again? | Do I have a favourite KK? | Do I have a favourite KK, and which? | Give me my favourite
        KK. | Name my favourite KK. | Say my favourite KK. | Please tell me my favourite KK. | Can you name my
        favourite KK? | Can you guess my favourite KK? | Could you tell me my favourite KK? | Do you recall my
        favourite KK? | You know my favourite KK, right? | You remember my favourite KK, don't you? | What did I tell
        you about my favourite KK? | What did I tell you my favourite KK is? | Did I tell you my favourite KK? | Did I
        mention my favourite KK? | If I could choose a KK, which would it be? | Which KK would I choose? | I wonder
        what my favourite KK is.
    corrected
        Actually my favourite KK is VV. | No, my favourite KK is VV. | My favourite KK is VV now. | My favourite KK is
        now VV. | I changed my mind, my favourite KK is VV. | Sorry, my favourite KK is VV. | My favourite KK is not
        WW, it is VV. | These days my favourite KK is VV. | Correction: my favourite KK is VV. | I like the KK VV best
        now. | Actually I like the KK VV best. | Actually, VV is my favourite KK. | No, VV is my favourite KK. | No, I
        like the KK VV best. | Oh, my favourite KK is VV. | Wait, my favourite KK is VV. | I made a mistake, my
        favourite KK is VV. | I meant my favourite KK is VV. | I was wrong, my favourite KK is VV. | My favourite KK
        isn't WW, it's VV. | My favourite KK isn't WW but VV. | I don't like WW anymore, my favourite KK is VV. | I
        used to like WW, but now my favourite KK is VV. | My favourite KK was WW, now it is VV. | My new favourite KK
        is VV. | I have a new favourite KK, VV. | I have a new favourite KK: VV. | Now my favourite KK is VV. | From
        now on my favourite KK is VV. | VV is my favourite KK now. | My favourite KK changed to VV. | My favourite KK
        has changed, it's VV. | I changed my favourite KK to VV. | Forget WW, my favourite KK is VV. | To correct
        myself, my favourite KK is VV. | Update: my favourite KK is VV. | I prefer the KK VV now.
    clauses
        what my favourite KK is | which KK I like best | which KK I like most | which KK I love most | what KK I like
        | which KK is my favourite | what my favourite KK was | what KK I like best | which KK I prefer | what KK I
        love | what the best KK for me is
    things
        my favourite KK | the KK I like best | the KK I like most | the KK I love | my favourite KK of all
    first
        What was my favourite KK at first? | What was my favourite KK before? | What was my favourite KK before I
        changed it? | What did I first say my favourite KK was? | What was my first favourite KK? | Which KK did I
        like best at first? | Which KK did I like before? | What was my favourite KK originally? | What was my
        favourite KK in the beginning? | What was my old favourite KK? | What was my favourite KK before I changed my
        mind? | Which KK was my favourite at first?
    theirs told
        OO likes the KK VV best. | OO loves the KK VV. | The KK OO likes best is VV. | The favourite KK of OO is VV. |
        OO told me that VV is the best KK. | For OO the best KK is VV. | OO has a favourite KK, it is VV. | The KK
        that OO likes most is VV. | VV is the KK that OO likes best.
    theirs asked
        Which KK does OO like best? | What KK does OO like? | Which KK does OO like most? | What is the favourite KK
        of OO? | Which KK does OO love? | And OO's favourite KK? | Which KK is OO's favourite? | What KK does OO like
        best? | What KK does OO prefer? | Which KK does OO prefer?
    replies
        Your favourite KK is VV. | Noted, your favourite KK is VV. | Okay, your favourite KK is VV now. | I don't know
        your favourite KK yet. | At first your favourite KK was VV.
    """,
    LIKES,
    weight=4.0,
    owned=True,
    near=("named", "property"),
)

PROPERTY = family(
    "property",
    """
    told
        My KK is VV. | VV is my KK. | The KK I have is VV. | Please remember my KK: VV. | Remember that my KK is VV. |
        Don't forget my KK is VV. | My KK: VV. | You should know my KK is VV. | Note that my KK is VV. | For the
        record, my KK is VV. | The user's KK is VV. | I want you to know that my KK is VV. | My KK happens to be VV. |
        My own KK is VV. | My personal KK is VV. | My KK at the moment is VV. | My current KK is VV. | My KK is simply
        VV. | My KK is just VV. | My KK is exactly VV. | My KK should be VV. | I chose VV as my KK. | I picked VV as
        my KK. | I use VV as my KK. | I have VV as my KK. | I set my KK to VV. | I'm using VV as my KK. | They gave me
        the KK VV. | I was given the KK VV. | I got the KK VV. | I have a KK and it's VV. | I have a KK, it is VV. | I
        have the KK VV. | I've got the KK VV. | The KK is VV. | The KK I use is VV. | The KK I was given is VV. | The
        KK for me is VV. | As my KK I have VV. | About my KK: it's VV. | As for my KK, it's VV. | VV, that is my KK. |
        VV is the KK I use. | VV is the KK I have. | Keep my KK in mind: VV. | Save my KK: VV. | Save this: my KK is
        VV. | Write down my KK: VV. | Make a note, my KK is VV. | Remember my KK: VV. | Remember this: my KK is VV. |
        Here is my KK: VV. | Here's my KK: VV. | This is my KK: VV. | My KK, in case you need it: VV. | KK: VV. | My
        KK has always been VV. | My KK will be VV. | My KK must be VV. | For my KK, remember VV. | Use VV as my KK. |
        I told them that my KK is VV.
    asked
        What is my KK? | What's my KK? | Do you remember my KK? | Do you know my KK? | Tell me my KK. | Can you tell
        me my KK? | What was my KK? | What was my KK again? | What did I say my KK was? | Remind me of my KK. | I
        forgot my KK. | I can't remember my KK. | Do you know what my KK is? | Which KK do I have? | And my KK? | My
        KK is? | Is my KK WW? | Have I told you my KK? | What KK do I have? | What KK do I use? | Which KK do I use? |
        Which KK did I choose? | What KK did I choose? | What KK did I give you? | Which KK did I tell you? | What KK
        did I mention? | What is the KK I gave you? | What was the KK I gave you? | What's the KK I told you? | What
        did I tell you my KK was? | What did I tell you about my KK? | What did I say about my KK? | What do I have as
        my KK? | What do I use as my KK? | What should my KK be? | What did I set my KK to? | How is my KK? | What
        about my KK? | So what is my KK? | So what's my KK again? | What's my KK again? | What is my current KK? |
        What's my own KK? | What is the user's KK? | My KK, please. | My KK, please? | My KK, what is it? | My KK,
        what was it? | Give me my KK. | Could you give me my KK? | Please give me my KK. | Please tell me my KK. | Say
        my KK. | Show me my KK. | Read me my KK. | I need my KK. | I need my KK, what is it? | I forgot my KK, what is
        it? | I lost my KK. | I wonder what my KK is. | Did I tell you my KK? | Did I mention my KK? | Do you recall
        my KK? | Do you have my KK? | Do you still have my KK? | Did you save my KK? | You know my KK, right? | You
        remember my KK, don't you? | Can you remember my KK? | Can you remind me of my KK? | Could you tell me what my
        KK is?
    corrected
        Actually my KK is VV. | No, my KK is VV. | My KK is VV now. | My KK is now VV. | Sorry, my KK is VV. | I
        changed my KK to VV. | My KK is not WW, it is VV. | Correction: my KK is VV. | My new KK is VV. | Oh, my KK is
        VV. | Wait, my KK is VV. | Oops, my KK is VV. | I meant my KK is VV. | I was wrong, my KK is VV. | I made a
        mistake, my KK is VV. | I misspoke, my KK is VV. | No, VV is my KK. | Actually VV is my KK. | My KK isn't WW,
        it's VV. | My KK isn't WW but VV. | My KK was WW, now it's VV. | My KK was WW, but it is VV now. | I have a
        new KK, VV. | I have a new KK: VV. | I have a new KK, it's VV. | I got a new KK, VV. | They changed my KK to
        VV. | My KK was changed to VV. | My KK has changed to VV. | My KK changed, it's VV. | Please change my KK to
        VV. | Change my KK to VV. | Set my KK to VV. | Update my KK to VV. | Update: my KK is VV. | From now on my KK
        is VV. | Now my KK is VV. | VV is my new KK. | VV is my KK now. | The new KK is VV. | The correct KK is VV. |
        Forget WW, my KK is VV. | To correct myself, my KK is VV. | I now use VV as my KK.
    clauses
        what my KK is | what my KK was | which KK I have | what KK I have | which KK I use | what KK I gave you | what
        I said my KK is | what I use as my KK | what my current KK is
    things
        my KK | the KK I have | the KK I gave you | the KK I told you | the KK I use | my own KK | my current KK
    first
        What was my KK at first? | What was my KK before? | What was my KK before I changed it? | What did I first say
        my KK was? | What was my first KK? | What was my old KK? | What was my KK originally? | What was my original
        KK? | What was my KK in the beginning? | Which KK did I have at first? | Which KK did I have before? | Before
        the change, what was my KK?
    theirs told
        OO has the KK VV. | OO uses VV as a KK. | The KK of OO is VV. | OO told me the KK, it's VV. | OO chose VV as a
        KK. | VV is the KK of OO.
    theirs asked
        What is the KK of OO? | Which KK does OO have? | What KK does OO have? | And OO's KK? | What KK did OO choose?
        | Which KK does OO use?
    replies
        Your KK is VV. | Noted, your KK is VV. | Okay, your KK is VV now. | I don't know your KK yet. | At first your
        KK was VV.
    """,
    PROPERTIES,
    weight=2.5,
    owned=True,
    near=("favourite",),
)
