"""Families of facts about other people. See `notation`.

The key is a person: a relation ("my sister") or a name.
"""

from models.training.conversations.notation import family
from models.training.conversations.nouns import ANIMALS, PEOPLE

THEY_LIVE = family(
    "they live",
    """
    told
        My KK lives in VV. | My KK is living in VV. | My KK moved to VV. | My KK's home is in VV. | The user's KK
        lives in VV. | My KK lives over in VV. | My KK lives near VV. | My KK lives and works in VV. | My KK has lived
        in VV for years. | My KK has always lived in VV. | My KK has moved to VV. | My KK has a house in VV. | My KK
        has a flat in VV. | My KK is at home in VV. | My KK is based in VV. | My KK stays in VV. | My KK settled in
        VV. | My KK's house is in VV. | My KK's flat is in VV. | The home of my KK is in VV. | VV is where my KK
        lives. | VV is the home of my KK. | In VV lives my KK. | I visited my KK in VV. | I was at my KK's place in
        VV. | We visited my KK in VV, where my KK lives.
    asked
        Where does my KK live? | Where is my KK living? | Which city does my KK live in? | Do you remember where my KK
        lives? | Tell me where my KK lives. | Do you know where my KK lives? | Where did my KK move to? | Where does
        my KK live now? | Where does my KK stay? | Where does my KK have a house? | Where is my KK's home? | Where is
        my KK's house? | Where's my KK living? | Where's the home of my KK? | Where is the home of my KK? | Where has
        my KK moved? | Where is my KK at home? | Where is my KK based? | Where did I say my KK lives? | What city does
        my KK live in? | What town does my KK live in? | Which town does my KK live in? | What place does my KK live
        in? | In which city does my KK live? | Can you tell me where my KK lives? | Could you tell me where my KK
        lives? | Remind me where my KK lives. | I forgot where my KK lives. | And where does my KK live? | So where
        does my KK live? | My KK lives where? | My KK lives in? | Did I tell you where my KK lives? | What did I say
        about where my KK lives?
    corrected
        Actually my KK lives in VV. | My KK lives in VV now. | My KK moved to VV. | No, my KK lives in VV. | Actually
        my KK is living in VV. | No, my KK moved to VV. | My KK has moved to VV. | My KK just moved to VV. | My KK now
        lives in VV. | My KK doesn't live in WW, but in VV. | My KK left WW and moved to VV. | My KK's new home is in
        VV. | Sorry, my KK lives in VV. | Wait, my KK lives in VV. | I meant my KK lives in VV. | I was wrong, my KK
        lives in VV. | Correction: my KK lives in VV. | Update: my KK lives in VV.
    clauses
        where my KK lives | where my KK's home is | where my KK is living | which city my KK lives in | where my KK
        lives now | where my KK moved to | what town my KK lives in | where my KK's house is
    things
        the city my KK lives in | the place my KK lives in | the home of my KK
    replies
        Your KK lives in VV. | Okay, your KK lives in VV. | Okay, your KK lives in VV now. | I don't know where your
        KK lives.
    """,
    PEOPLE,
    person=True,
    near=("named", "they work", "they like"),
)

THEY_WORK = family(
    "they work",
    """
    told
        My KK works as a VV. | My KK is a VV. | My KK's job is VV. | My KK became a VV. | The user's KK works as a VV.
        | My KK is working as a VV. | My KK has a job as a VV. | My KK got a job as a VV. | My KK makes a living as a
        VV. | My KK has been a VV for years. | My KK has always been a VV. | My KK is a VV by profession. | My KK
        trained as a VV. | My KK started working as a VV. | My KK earns money as a VV. | My KK's profession is VV. |
        My KK's work is VV. | The job of my KK is VV. | The profession of my KK is VV. | VV is the job of my KK. | VV
        is my KK's job. | As a job my KK is a VV. | For a living my KK is a VV.
    asked
        What does my KK do? | What is my KK's job? | What does my KK do for a living? | What does my KK work as? | Do
        you remember my KK's job? | Tell me my KK's job. | Do you know what my KK does? | What does my KK do for work?
        | What is my KK's profession? | What's my KK's job? | What's my KK's profession? | What is my KK's work? |
        What is the job of my KK? | What's the job of my KK? | What is the profession of my KK? | What job does my KK
        have? | Which job does my KK have? | What kind of job does my KK have? | What kind of work does my KK do? |
        What work does my KK do? | What is my KK by profession? | How does my KK make a living? | How does my KK earn
        money? | As what does my KK work? | What did I say my KK does? | What did I say my KK's job was? | Do you know
        my KK's job? | Do you remember what my KK does? | Tell me what my KK does. | Can you tell me my KK's job? |
        Could you tell me what my KK does for a living? | And what does my KK do? | And my KK's job? | So what's my
        KK's job? | My KK works as? | Remind me what my KK does. | Remind me of my KK's job. | I forgot my KK's job. |
        Did I tell you my KK's job?
    corrected
        Actually my KK works as a VV. | My KK is a VV now. | No, my KK works as a VV. | Actually my KK is a VV. |
        Actually my KK's job is VV. | No, my KK is a VV. | My KK works as a VV now. | My KK now works as a VV. | My KK
        became a VV. | My KK changed jobs and is a VV now. | My KK is not a WW but a VV. | My KK was a WW, but is a VV
        now. | My KK's new job is VV. | My KK's job is VV now. | Sorry, my KK works as a VV. | Wait, my KK works as a
        VV. | I meant my KK works as a VV. | I was wrong, my KK is a VV. | Correction: my KK works as a VV. | Update:
        my KK works as a VV.
    clauses
        what my KK does | what my KK's job is | what my KK works as | what my KK does for a living | what the job of
        my KK is | what kind of work my KK does | what my KK's profession is
    things
        my KK's job | the job of my KK | my KK's profession | the profession of my KK
    replies
        Your KK works as a VV. | Okay, your KK works as a VV. | Okay, your KK works as a VV now. | I don't know your
        KK's job yet.
    """,
    PEOPLE,
    person=True,
    near=("named", "they live", "they like"),
)

THEY_LIKE = family(
    "they like",
    """
    told
        My KK likes VV. | My KK loves VV. | My KK is a fan of VV. | My KK really likes VV. | My KK is crazy about VV.
        | My KK enjoys VV. | My KK adores VV. | My KK always liked VV. | My KK has always loved VV. | My KK is fond of
        VV. | My KK is into VV. | My KK is a big fan of VV. | My KK can't live without VV. | My KK can't get enough of
        VV. | My KK likes VV a lot. | My KK likes VV very much. | My KK loves VV more than anything. | My KK likes VV
        best. | My KK likes nothing more than VV. | My KK talks about VV all day. | The thing my KK likes is VV. |
        What my KK likes is VV. | What my KK loves is VV. | VV is what my KK likes. | VV is what my KK loves. | VV
        makes my KK happy.
    asked
        What does my KK like? | What does my KK love? | Do you remember what my KK likes? | Tell me what my KK likes.
        | Do you know what my KK loves? | What is my KK a fan of? | What does my KK enjoy? | What does my KK really
        like? | What does my KK like a lot? | What does my KK like best? | What does my KK like most? | What does my
        KK love most? | What is my KK fond of? | What is my KK into? | What is my KK crazy about? | What makes my KK
        happy? | What thing does my KK like? | What can't my KK live without? | What did I say my KK likes? | What did
        I say about what my KK likes? | Which thing does my KK like? | Can you tell me what my KK likes? | Could you
        tell me what my KK likes? | And what does my KK like? | So what does my KK like? | My KK likes what? | Do you
        remember what my KK loves? | Remind me what my KK likes. | I forgot what my KK likes. | Did I tell you what my
        KK likes?
    corrected
        Actually my KK likes VV. | My KK likes VV now. | No, my KK likes VV. | Actually my KK loves VV. | No, my KK
        loves VV. | My KK now likes VV. | My KK loves VV now. | My KK doesn't like WW but VV. | My KK doesn't like WW
        anymore, my KK likes VV. | My KK stopped liking WW and likes VV now. | Sorry, my KK likes VV. | Wait, my KK
        likes VV. | I meant my KK likes VV. | I was wrong, my KK likes VV. | Correction: my KK likes VV. | Update: my
        KK likes VV. | These days my KK likes VV.
    clauses
        what my KK likes | what my KK loves | what my KK is a fan of | what my KK enjoys | what my KK likes best |
        what my KK really likes | what my KK is fond of
    things
        the thing my KK likes
    replies
        Your KK likes VV. | Okay, your KK likes VV. | Okay, your KK likes VV now. | I don't know what your KK likes.
    """,
    PEOPLE,
    person=True,
    near=("named", "they live", "they work"),
)

THEY_BORN = family(
    "their birthday",
    """
    told
        My KK's birthday is in VV. | My KK's birthday is on VV. | My KK's birthday is VV. | My KK was born in VV. | My
        KK was born on VV. | The birthday of my KK is in VV. | The birthday of my KK is VV. | My KK has a birthday in
        VV. | My KK celebrates the birthday in VV. | My KK turns a year older in VV. | VV is my KK's birthday. | VV is
        the birthday of my KK. | We celebrate my KK's birthday in VV. | Remember my KK's birthday: VV. | My KK's
        birthday falls in VV. | My KK's birthday comes in VV. | The user's KK was born in VV. | In VV it's my KK's
        birthday.
    asked
        When is my KK's birthday? | When was my KK born? | What is my KK's birthday? | When's my KK's birthday? |
        What's my KK's birthday? | When is the birthday of my KK? | What month is my KK's birthday? | In which month
        is my KK's birthday? | Which month was my KK born in? | When does my KK have a birthday? | When do we
        celebrate my KK's birthday? | Do you remember my KK's birthday? | Do you know when my KK's birthday is? | Do
        you know my KK's birthday? | Tell me my KK's birthday. | Tell me when my KK's birthday is. | Can you tell me
        my KK's birthday? | When did I say my KK's birthday is? | What did I say my KK's birthday was? | Remind me of
        my KK's birthday. | I forgot my KK's birthday. | And my KK's birthday? | Have I told you my KK's birthday? |
        On which day was my KK born? | Which day is my KK's birthday?
    corrected
        Actually my KK's birthday is in VV. | No, my KK's birthday is in VV. | Sorry, my KK's birthday is in VV. | My
        KK's birthday is not in WW, it is in VV. | My KK was not born in WW but in VV. | Wait, my KK's birthday is in
        VV. | I meant my KK's birthday is in VV. | I was wrong, my KK's birthday is in VV. | Correction: my KK's
        birthday is in VV. | Actually my KK was born in VV. | My KK's birthday is VV, not WW.
    clauses
        when my KK's birthday is | when my KK was born | what month my KK's birthday is in | when the birthday of my
        KK is | when my KK has a birthday | what my KK's birthday is
    things
        my KK's birthday | the birthday of my KK | the date of my KK's birthday
    replies
        Your KK's birthday is VV. | Noted, your KK's birthday is VV. | Okay, your KK's birthday is VV. | I don't know
        your KK's birthday yet.
    """,
    (*PEOPLE, *ANIMALS),
    person=True,
    near=("named", "their age", "they live"),
)

THEY_AGE = family(
    "their age",
    """
    told
        My KK is VV years old. | My KK turned VV. | My KK's age is VV. | My KK is VV years of age. | My KK just turned
        VV. | My KK is now VV years old. | The age of my KK is VV. | My KK will be VV years old soon. | VV is the age
        of my KK. | My KK has turned VV. | My KK turned VV last week. | My KK is already VV years old. | The user's KK
        is VV years old. | I have a KK who is VV years old.
    asked
        How old is my KK? | What is my KK's age? | What age is my KK? | What's my KK's age? | What is the age of my
        KK? | Do you know how old my KK is? | Do you remember how old my KK is? | Do you remember my KK's age? | Tell
        me how old my KK is. | Tell me my KK's age. | How old did I say my KK is? | How old did my KK turn? | How many
        years old is my KK? | Can you tell me how old my KK is? | And how old is my KK? | And my KK's age? | Remind me
        how old my KK is. | I forgot how old my KK is. | Is my KK WW years old? | Did I tell you how old my KK is?
    corrected
        Actually my KK is VV years old. | No, my KK is VV years old. | Sorry, my KK is VV years old. | My KK is VV
        years old now. | My KK is not WW, but VV years old. | Wait, my KK is VV years old. | I meant my KK is VV years
        old. | I was wrong, my KK is VV years old. | Correction: my KK is VV years old. | My KK just turned VV. | My
        KK is VV now.
    clauses
        how old my KK is | what my KK's age is | how old my KK was | what age my KK is | how many years old my KK is
    things
        my KK's age | the age of my KK
    replies
        Your KK is VV years old. | Okay, your KK is VV years old. | Okay, your KK is VV years old now. | I don't know
        how old your KK is.
    """,
    (*PEOPLE, *ANIMALS),
    person=True,
    near=("named", "their birthday", "they like"),
)
