"""Families of facts, continued: where, what and when; other people; counts. See `facts` for the notation.

A block of text has told, asked and corrected phrasings and four replies (answer, noted, changed, unknown), each part
on lines of its own after its name; phrasings are separated by bars.
"""

from models.training.conversations.facts import LIKED, NAMED, PROPERTY, SELF, Family
from models.training.conversations.nouns import COUNTS, EVENTS, OBJECTS, PEOPLE


def _family(name: str, text: str, keys: tuple[str, ...] = (), weight: float = 1.0) -> Family:
    """A family from its block of text."""
    parts: dict[str, list[str]] = {}
    part = ""
    for line in text.strip().splitlines():
        if line.strip() in ("told", "asked", "corrected", "replies"):
            part = line.strip()
        else:
            parts.setdefault(part, []).append(line.strip())
    told, asked, corrected, replies = (
        tuple(phrase.strip() for phrase in " ".join(parts[p]).split(" | "))
        for p in ("told", "asked", "corrected", "replies")
    )
    answer, noted, changed, unknown = replies
    return Family(name, keys, told, asked, corrected, answer, noted, changed, unknown, weight)


LIVES = _family(
    "lives",
    """
    told
        I live in VV. | I am living in VV. | I'm living in VV. | My home is in VV. | Home is VV. | I'm based in VV. |
        I moved to VV. | I moved to VV last year. | My house is in VV. | I have lived in VV for years. | I live in VV
        with my family. | I live in a place called VV. | We live in VV. | The user lives in VV. | I've been living in
        VV for a while. | I have a flat in VV. | My place is in VV. | I currently live in VV. | I live near VV.
    asked
        Where do I live? | Which city do I live in? | What city do I live in? | Where is my home? | Where am I living?
        | Do you remember where I live? | Do you know where I live? | Tell me where I live. | Can you tell me where I
        live? | Where did I say I live? | Where did I move to? | What town do I live in? | Where is my house? | Where
        do we live? | In which city do I live? | Where's home for me? | Do I live in WW? | Remind me where I live. |
        What place do I live in? | And where do I live? | Where am I based? | Have I told you where I live? | Where do
        I live again? | Where do I live now?
    corrected
        Actually I live in VV. | Actually I live in VV now. | I moved to VV. | I just moved to VV. | No, I live in VV.
        | I now live in VV. | We moved to VV. | I don't live in WW anymore, I live in VV. | Sorry, I live in VV. | I
        live in VV now.
    replies
        You live in VV. | Okay, you live in VV. | Okay, you live in VV now. | I don't know where you live yet.
    """,
    weight=2.0,
)
ORIGIN = _family(
    "origin",
    """
    told
        I'm from VV. | I am from VV. | I come from VV. | Originally I'm from VV. | I'm originally from VV. | I grew up
        in VV. | My family is from VV. | The user is from VV. | I was born in VV. | I was born and raised in VV. | My
        roots are in VV.
    asked
        Where am I from? | Where do I come from? | Where did I grow up? | Where was I born? | Do you remember where
        I'm from? | Do you know where I come from? | Tell me where I'm from. | Where did I say I'm from? | Which place
        am I from? | Can you tell me where I come from? | Where am I originally from? | Am I from WW? | What country
        am I from?
    corrected
        Actually I'm from VV. | No, I'm from VV. | Sorry, I come from VV. | I'm not from WW, I'm from VV. | I meant
        I'm from VV.
    replies
        You are from VV. | Nice, you are from VV. | Okay, you are from VV. | I don't know where you are from yet.
    """,
)
WORKPLACE = _family(
    "workplace",
    """
    told
        I work at VV. | I work for VV. | I'm working at VV. | I have a job at VV. | My employer is VV. | I'm employed
        at VV. | I started working at VV. | I got a job at VV. | The user works at VV. | My office is at VV. | I'm at
        VV, that is where I work.
    asked
        Where do I work? | Who do I work for? | What company do I work for? | Which company do I work at? | Who is my
        employer? | Do you remember where I work? | Do you know where I work? | Tell me where I work. | Where did I
        say I work? | Where is my office? | Where am I working? | Can you tell me who I work for? | Do I work at WW? |
        Where do I have a job? | Where do I work now? | And where do I work?
    corrected
        Actually I work at VV. | I work at VV now. | I now work for VV. | I changed jobs, I work at VV now. | No, I
        work at VV. | I left WW, I work at VV now. | Sorry, I work at VV.
    replies
        You work at VV. | Okay, you work at VV. | Okay, you work at VV now. | I don't know where you work yet.
    """,
)
JOB = _family(
    "job",
    """
    told
        I work as a VV. | I'm a VV. | I am a VV. | My job is VV. | I'm working as a VV. | I'm a VV by profession. | My
        profession is VV. | I earn my money as a VV. | I make a living as a VV. | I have been a VV for years. | I
        became a VV. | The user is a VV. | The user works as a VV. | I'm employed as a VV.
    asked
        What is my job? | What's my job? | What do I do? | What do I do for a living? | What is my profession? | What
        do I work as? | Do you remember my job? | Do you know what I do for a living? | Tell me what my job is. | What
        did I say my job was? | What kind of job do I have? | What kind of work do I do? | Am I a WW? | What am I by
        profession? | Do you know my job? | What's my job again? | And my job? | What is my occupation?
    corrected
        Actually I work as a VV. | I'm a VV now. | I work as a VV now. | No, I'm a VV. | I'm not a WW, I'm a VV. | I
        became a VV. | I changed jobs, I'm a VV now.
    replies
        You work as a VV. | Good to know, you work as a VV. | Okay, you work as a VV now. | I don't know your job yet.
    """,
)
BIRTHDAY = _family(
    "birthday",
    """
    told
        My birthday is in VV. | My birthday is on VV. | My birthday is VV. | I was born in the month of VV. | I have
        my birthday in VV. | I celebrate my birthday in VV. | My birthday falls in VV. | The user's birthday is in VV.
        | VV is my birthday month.
    asked
        When is my birthday? | When's my birthday? | What month is my birthday? | Which month is my birthday in? | In
        which month was I born? | Do you remember my birthday? | Do you know when my birthday is? | Tell me when my
        birthday is. | When was my birthday again? | When did I say my birthday is? | What is my birthday? | Is my
        birthday in WW? | When do I celebrate my birthday? | And my birthday?
    corrected
        Actually my birthday is in VV. | No, my birthday is in VV. | Sorry, my birthday is in VV. | My birthday is not
        in WW, it is in VV.
    replies
        Your birthday is VV. | Noted, your birthday is VV. | Okay, your birthday is VV. | I don't know your birthday
        yet.
    """,
)
AGE = _family(
    "age",
    """
    told
        I am VV years old. | I'm VV years old. | My age is VV. | I turned VV today. | I just turned VV. | The user is
        VV years old.
    asked
        How old am I? | What is my age? | What's my age? | Do you know how old I am? | Do you remember my age? | Tell
        me how old I am. | How old did I say I am? | How many years old am I? | Am I WW years old? | And how old am I?
    corrected
        Actually I'm VV years old. | I'm VV years old now. | No, I'm VV years old. | I turned VV.
    replies
        You are VV years old. | Okay, you are VV years old. | Okay, you are VV years old now. | I don't know how old
        you are yet.
    """,
)
DRIVES = _family(
    "drives",
    """
    told
        I drive a VV. | My car is a VV. | I bought a VV car. | I drive an old VV. | I own a VV car. | The user drives
        a VV. | I go to work in my VV car. | I have a VV in my garage.
    asked
        What car do I drive? | What do I drive? | What kind of car do I have? | Which car do I drive? | Do you
        remember what car I drive? | What car do I have? | Tell me what I drive. | What type of car do I own? | Do I
        drive a WW? | What did I say I drive?
    corrected
        Actually I drive a VV. | I drive a VV now. | I bought a new car, a VV. | No, I drive a VV. | My new car is a
        VV.
    replies
        You drive a VV. | Nice, you drive a VV. | Okay, you drive a VV now. | I don't know what you drive yet.
    """,
)
LEARNS = _family(
    "learns",
    """
    told
        I'm learning VV. | I am studying VV. | I study VV. | I started learning VV. | I want to learn VV. | I take
        lessons in VV. | I'm taking a course in VV. | The user is learning VV. | My subject is VV.
    asked
        What am I learning? | What am I studying? | What do I study? | Do you remember what I'm learning? | What did I
        say I'm learning? | Tell me what I study. | Which language am I learning? | What language am I learning? | Do
        you know what I study?
    corrected
        Actually I'm learning VV. | I'm learning VV now. | No, I'm studying VV. | Now I study VV.
    replies
        You are learning VV. | Great, you are learning VV. | Okay, you are learning VV now. | I don't know what you
        are learning yet.
    """,
)
PLAYS = _family(
    "plays",
    """
    told
        I play the VV. | I play VV. | I like to play VV. | I can play the VV. | I play VV every week. | The user plays
        VV. | I'm learning to play the VV. | I play VV in my free time.
    asked
        What do I play? | What instrument do I play? | Which sport do I play? | Do you remember what I play? | What
        did I say I play? | Tell me what I play. | Do I play WW? | What sport do I play? | Which instrument do I play?
    corrected
        Actually I play VV. | I play VV now. | No, I play VV.
    replies
        You play VV. | Cool, you play VV. | Okay, you play VV now. | I don't know what you play yet.
    """,
)
ALLERGY = _family(
    "allergy",
    """
    told
        I'm allergic to VV. | I am allergic to VV. | I have an allergy to VV. | I can't eat VV, I'm allergic. | The
        user is allergic to VV. | My allergy is VV. | I get ill from VV.
    asked
        What am I allergic to? | Do you remember my allergy? | What is my allergy? | What can't I eat? | Do you know
        what I'm allergic to? | Am I allergic to WW? | What did I say I'm allergic to? | Do I have an allergy? | Am I
        allergic to anything?
    corrected
        Actually I'm allergic to VV. | No, I'm allergic to VV. | I'm not allergic to WW but to VV.
    replies
        You are allergic to VV. | Noted, you are allergic to VV. | Okay, you are allergic to VV. | I don't know your
        allergies yet.
    """,
)
DESTINATION = _family(
    "destination",
    """
    told
        I'm going to VV next week. | I'm going on holiday to VV. | I'm travelling to VV. | We are going to VV this
        summer. | I'm flying to VV tomorrow. | I booked a trip to VV. | My next trip is to VV. | The user is
        travelling to VV. | I will visit VV soon.
    asked
        Where am I going? | Where am I going on holiday? | Where am I travelling to? | Where is my next trip? | Where
        do I fly? | Do you remember where I'm going? | Where did I say I'm going? | Which place will I visit? | Am I
        going to WW? | Where am I flying to?
    corrected
        Actually I'm going to VV. | No, I'm going to VV. | I changed my plans, I'm going to VV. | I'm going to VV
        instead.
    replies
        You are going to VV. | Lovely, you are going to VV. | Okay, you are going to VV. | I don't know where you are
        going yet.
    """,
)
WHEN = _family(
    "when",
    """
    told
        My KK is on VV. | My KK is VV. | I have a KK on VV. | I have my KK on VV. | The KK is on VV. | There is a KK
        on VV. | Remind me that my KK is on VV. | My KK is at VV. | My KK takes place on VV. | The user's KK is on VV.
        | I've got a KK on VV. | My KK is in VV.
    asked
        When is my KK? | When's my KK? | What day is my KK? | Which day is my KK? | Do you remember when my KK is? |
        Do you know when my KK is? | Tell me when my KK is. | When did I say my KK is? | When was my KK again? | On
        which day is my KK? | Is my KK on WW? | When do I have my KK? | What date is my KK? | And when is my KK?
    corrected
        Actually my KK is on VV. | My KK was moved to VV. | No, my KK is on VV. | They moved my KK to VV. | My KK is
        on VV now. | My KK is not on WW, it is on VV.
    replies
        Your KK is on VV. | Noted, your KK is on VV. | Okay, your KK is on VV now. | I don't know when your KK is.
    """,
    keys=EVENTS,
    weight=1.5,
)
PLACED = _family(
    "placed",
    """
    told
        My KK are in the VV. | I put my KK in the VV. | I left my KK in the VV. | I keep my KK in the VV. | My KK are
        on the VV. | The KK are in the VV. | I placed my KK on the VV. | My KK is in the VV.
    asked
        Where are my KK? | Where did I leave my KK? | Where did I put my KK? | Where is my KK? | Where do I keep my
        KK? | Do you remember where my KK are? | Tell me where my KK are. | I can't find my KK. | Do you know where I
        left my KK?
    corrected
        Actually my KK are in the VV. | I moved my KK to the VV. | My KK are in the VV now. | No, my KK are in the VV.
    replies
        Your KK: in the VV. | Noted, your KK: in the VV. | Okay, your KK: in the VV now. | I don't know where your KK
        went.
    """,
    keys=OBJECTS,
)
COUNTED = _family(
    "counted",
    """
    told
        I have VV KK. | I've got VV KK. | We have VV KK. | There are VV KK at home. | I own VV KK. | The user has VV
        KK.
    asked
        How many KK do I have? | How many KK have I got? | Do you remember how many KK I have? | How many KK do we
        have? | Tell me how many KK I have. | How many KK did I say I have? | Do I have WW KK?
    corrected
        Actually I have VV KK. | I have VV KK now. | No, I have VV KK. | Now I have VV KK.
    replies
        Your number of KK is VV. | Okay, your number of KK is VV. | Okay, your number of KK is VV now. | I don't know
        how many KK you have.
    """,
    keys=COUNTS,
)
THEY_LIVE = _family(
    "they live",
    """
    told
        My KK lives in VV. | My KK is living in VV. | My KK moved to VV. | My KK's home is in VV. | The user's KK
        lives in VV.
    asked
        Where does my KK live? | Where is my KK living? | Which city does my KK live in? | Do you remember where my KK
        lives? | Tell me where my KK lives. | Do you know where my KK lives? | Where did my KK move to?
    corrected
        Actually my KK lives in VV. | My KK lives in VV now. | My KK moved to VV. | No, my KK lives in VV.
    replies
        Your KK lives in VV. | Okay, your KK lives in VV. | Okay, your KK lives in VV now. | I don't know where your
        KK lives.
    """,
    keys=PEOPLE,
)
THEY_WORK = _family(
    "they work",
    """
    told
        My KK works as a VV. | My KK is a VV. | My KK's job is VV. | My KK became a VV. | The user's KK works as a VV.
    asked
        What does my KK do? | What is my KK's job? | What does my KK do for a living? | What does my KK work as? | Do
        you remember my KK's job? | Tell me my KK's job. | Do you know what my KK does?
    corrected
        Actually my KK works as a VV. | My KK is a VV now. | No, my KK works as a VV.
    replies
        Your KK works as a VV. | Okay, your KK works as a VV. | Okay, your KK works as a VV now. | I don't know your
        KK's job yet.
    """,
    keys=PEOPLE,
)
THEY_LIKE = _family(
    "they like",
    """
    told
        My KK likes VV. | My KK loves VV. | My KK is a fan of VV. | My KK really likes VV. | My KK is crazy about VV.
    asked
        What does my KK like? | What does my KK love? | Do you remember what my KK likes? | Tell me what my KK likes.
        | Do you know what my KK loves? | What is my KK a fan of?
    corrected
        Actually my KK likes VV. | My KK likes VV now. | No, my KK likes VV.
    replies
        Your KK likes VV. | Okay, your KK likes VV. | Okay, your KK likes VV now. | I don't know what your KK likes.
    """,
    keys=PEOPLE,
)

FAMILIES: tuple[Family, ...] = (
    NAMED, SELF, LIKED, PROPERTY, LIVES, ORIGIN, WORKPLACE, JOB, BIRTHDAY, AGE, DRIVES, LEARNS, PLAYS, ALLERGY,
    DESTINATION, WHEN, PLACED, COUNTED, THEY_LIVE, THEY_WORK, THEY_LIKE,
)  # fmt: skip
