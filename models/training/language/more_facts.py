"""Families of facts, continued: where, what and when; other people; counts. See `facts` for the notation."""

from models.training.language.facts import (
    COUNTS,
    EVENTS,
    LIKED,
    NAMED,
    OBJECTS,
    PEOPLE,
    PROPERTY,
    SELF,
    Family,
    _lines,
)


def _short(
    name: str, told: str, asked: str, again: str, replies: str, keys: tuple[str, ...] = (), weight: float = 1.0
) -> Family:
    """A family from blocks of lines; `replies` are answer, noted, changed, unknown."""
    answer, noted, changed, unknown = _lines(replies)
    return Family(name, keys, _lines(told), _lines(asked), _lines(again), answer, noted, changed, unknown, weight)


LIVES = _short(
    "lives",
    "I live in VV.\nI am living in VV.\nI'm living in VV.\nMy home is in VV.\nHome is VV.\nI'm based in VV.\nI moved to VV.\n"
    "I moved to VV last year.\nMy house is in VV.\nI have lived in VV for years.\nI live in VV with my family.\n"
    "I live in a place called VV.\nWe live in VV.\nThe user lives in VV.\nI've been living in VV for a while.\n"
    "I have a flat in VV.\nMy place is in VV.\nI currently live in VV.\nI live near VV.",
    "Where do I live?\nWhich city do I live in?\nWhat city do I live in?\nWhere is my home?\nWhere am I living?\n"
    "Do you remember where I live?\nDo you know where I live?\nTell me where I live.\nCan you tell me where I live?\n"
    "Where did I say I live?\nWhere did I move to?\nWhat town do I live in?\nWhere is my house?\nWhere do we live?\n"
    "In which city do I live?\nWhere's home for me?\nDo I live in WW?\nRemind me where I live.\nWhat place do I live in?\n"
    "And where do I live?\nWhere am I based?\nHave I told you where I live?\nWhere do I live again?\nWhere do I live now?",
    "Actually I live in VV.\nActually I live in VV now.\nI moved to VV.\nI just moved to VV.\nNo, I live in VV.\nI now live in VV.\n"
    "We moved to VV.\nI don't live in WW anymore, I live in VV.\nSorry, I live in VV.\nI live in VV now.",
    "You live in VV.\nOkay, you live in VV.\nOkay, you live in VV now.\nI don't know where you live yet.",
    weight=2.0,
)
ORIGIN = _short(
    "origin",
    "I'm from VV.\nI am from VV.\nI come from VV.\nOriginally I'm from VV.\nI'm originally from VV.\nI grew up in VV.\n"
    "My family is from VV.\nThe user is from VV.\nI was born in VV.\nI was born and raised in VV.\nMy roots are in VV.",
    "Where am I from?\nWhere do I come from?\nWhere did I grow up?\nWhere was I born?\nDo you remember where I'm from?\n"
    "Do you know where I come from?\nTell me where I'm from.\nWhere did I say I'm from?\nWhich place am I from?\n"
    "Can you tell me where I come from?\nWhere am I originally from?\nAm I from WW?\nWhat country am I from?",
    "Actually I'm from VV.\nNo, I'm from VV.\nSorry, I come from VV.\nI'm not from WW, I'm from VV.\nI meant I'm from VV.",
    "You are from VV.\nNice, you are from VV.\nOkay, you are from VV.\nI don't know where you are from yet.",
)
WORKPLACE = _short(
    "workplace",
    "I work at VV.\nI work for VV.\nI'm working at VV.\nI have a job at VV.\nMy employer is VV.\nI'm employed at VV.\n"
    "I started working at VV.\nI got a job at VV.\nThe user works at VV.\nMy office is at VV.\nI'm at VV, that is where I work.",
    "Where do I work?\nWho do I work for?\nWhat company do I work for?\nWhich company do I work at?\nWho is my employer?\n"
    "Do you remember where I work?\nDo you know where I work?\nTell me where I work.\nWhere did I say I work?\n"
    "Where is my office?\nWhere am I working?\nCan you tell me who I work for?\nDo I work at WW?\nWhere do I have a job?\n"
    "Where do I work now?\nAnd where do I work?",
    "Actually I work at VV.\nI work at VV now.\nI now work for VV.\nI changed jobs, I work at VV now.\nNo, I work at VV.\n"
    "I left WW, I work at VV now.\nSorry, I work at VV.",
    "You work at VV.\nOkay, you work at VV.\nOkay, you work at VV now.\nI don't know where you work yet.",
)
JOB = _short(
    "job",
    "I work as a VV.\nI'm a VV.\nI am a VV.\nMy job is VV.\nI'm working as a VV.\nI'm a VV by profession.\nMy profession is VV.\n"
    "I earn my money as a VV.\nI make a living as a VV.\nI have been a VV for years.\nI became a VV.\nThe user is a VV.\n"
    "The user works as a VV.\nI'm employed as a VV.",
    "What is my job?\nWhat's my job?\nWhat do I do?\nWhat do I do for a living?\nWhat is my profession?\nWhat do I work as?\n"
    "Do you remember my job?\nDo you know what I do for a living?\nTell me what my job is.\nWhat did I say my job was?\n"
    "What kind of job do I have?\nWhat kind of work do I do?\nAm I a WW?\nWhat am I by profession?\nDo you know my job?\n"
    "What's my job again?\nAnd my job?\nWhat is my occupation?",
    "Actually I work as a VV.\nI'm a VV now.\nI work as a VV now.\nNo, I'm a VV.\nI'm not a WW, I'm a VV.\nI became a VV.\n"
    "I changed jobs, I'm a VV now.",
    "You work as a VV.\nGood to know, you work as a VV.\nOkay, you work as a VV now.\nI don't know your job yet.",
)
BIRTHDAY = _short(
    "birthday",
    "My birthday is in VV.\nMy birthday is on VV.\nMy birthday is VV.\nI was born in the month of VV.\nI have my birthday in VV.\n"
    "I celebrate my birthday in VV.\nMy birthday falls in VV.\nThe user's birthday is in VV.\nVV is my birthday month.",
    "When is my birthday?\nWhen's my birthday?\nWhat month is my birthday?\nWhich month is my birthday in?\nIn which month was I born?\n"
    "Do you remember my birthday?\nDo you know when my birthday is?\nTell me when my birthday is.\nWhen was my birthday again?\n"
    "When did I say my birthday is?\nWhat is my birthday?\nIs my birthday in WW?\nWhen do I celebrate my birthday?\nAnd my birthday?",
    "Actually my birthday is in VV.\nNo, my birthday is in VV.\nSorry, my birthday is in VV.\nMy birthday is not in WW, it is in VV.",
    "Your birthday is VV.\nNoted, your birthday is VV.\nOkay, your birthday is VV.\nI don't know your birthday yet.",
)
AGE = _short(
    "age",
    "I am VV years old.\nI'm VV years old.\nMy age is VV.\nI turned VV today.\nI just turned VV.\nThe user is VV years old.",
    "How old am I?\nWhat is my age?\nWhat's my age?\nDo you know how old I am?\nDo you remember my age?\nTell me how old I am.\n"
    "How old did I say I am?\nHow many years old am I?\nAm I WW years old?\nAnd how old am I?",
    "Actually I'm VV years old.\nI'm VV years old now.\nNo, I'm VV years old.\nI turned VV.",
    "You are VV years old.\nOkay, you are VV years old.\nOkay, you are VV years old now.\nI don't know how old you are yet.",
)
DRIVES = _short(
    "drives",
    "I drive a VV.\nMy car is a VV.\nI bought a VV car.\nI drive an old VV.\nI own a VV car.\nThe user drives a VV.\n"
    "I go to work in my VV car.\nI have a VV in my garage.",
    "What car do I drive?\nWhat do I drive?\nWhat kind of car do I have?\nWhich car do I drive?\nDo you remember what car I drive?\n"
    "What car do I have?\nTell me what I drive.\nWhat type of car do I own?\nDo I drive a WW?\nWhat did I say I drive?",
    "Actually I drive a VV.\nI drive a VV now.\nI bought a new car, a VV.\nNo, I drive a VV.\nMy new car is a VV.",
    "You drive a VV.\nNice, you drive a VV.\nOkay, you drive a VV now.\nI don't know what you drive yet.",
)
LEARNS = _short(
    "learns",
    "I'm learning VV.\nI am studying VV.\nI study VV.\nI started learning VV.\nI want to learn VV.\nI take lessons in VV.\n"
    "I'm taking a course in VV.\nThe user is learning VV.\nMy subject is VV.",
    "What am I learning?\nWhat am I studying?\nWhat do I study?\nDo you remember what I'm learning?\nWhat did I say I'm learning?\n"
    "Tell me what I study.\nWhich language am I learning?\nWhat language am I learning?\nDo you know what I study?",
    "Actually I'm learning VV.\nI'm learning VV now.\nNo, I'm studying VV.\nNow I study VV.",
    "You are learning VV.\nGreat, you are learning VV.\nOkay, you are learning VV now.\nI don't know what you are learning yet.",
)
PLAYS = _short(
    "plays",
    "I play the VV.\nI play VV.\nI like to play VV.\nI can play the VV.\nI play VV every week.\nThe user plays VV.\n"
    "I'm learning to play the VV.\nI play VV in my free time.",
    "What do I play?\nWhat instrument do I play?\nWhich sport do I play?\nDo you remember what I play?\nWhat did I say I play?\n"
    "Tell me what I play.\nDo I play WW?\nWhat sport do I play?\nWhich instrument do I play?",
    "Actually I play VV.\nI play VV now.\nNo, I play VV.",
    "You play VV.\nCool, you play VV.\nOkay, you play VV now.\nI don't know what you play yet.",
)
ALLERGY = _short(
    "allergy",
    "I'm allergic to VV.\nI am allergic to VV.\nI have an allergy to VV.\nI can't eat VV, I'm allergic.\nThe user is allergic to VV.\n"
    "My allergy is VV.\nI get ill from VV.",
    "What am I allergic to?\nDo you remember my allergy?\nWhat is my allergy?\nWhat can't I eat?\nDo you know what I'm allergic to?\n"
    "Am I allergic to WW?\nWhat did I say I'm allergic to?\nDo I have an allergy?\nAm I allergic to anything?",
    "Actually I'm allergic to VV.\nNo, I'm allergic to VV.\nI'm not allergic to WW but to VV.",
    "You are allergic to VV.\nNoted, you are allergic to VV.\nOkay, you are allergic to VV.\nI don't know your allergies yet.",
)
DESTINATION = _short(
    "destination",
    "I'm going to VV next week.\nI'm going on holiday to VV.\nI'm travelling to VV.\nWe are going to VV this summer.\n"
    "I'm flying to VV tomorrow.\nI booked a trip to VV.\nMy next trip is to VV.\nThe user is travelling to VV.\nI will visit VV soon.",
    "Where am I going?\nWhere am I going on holiday?\nWhere am I travelling to?\nWhere is my next trip?\nWhere do I fly?\n"
    "Do you remember where I'm going?\nWhere did I say I'm going?\nWhich place will I visit?\nAm I going to WW?\nWhere am I flying to?",
    "Actually I'm going to VV.\nNo, I'm going to VV.\nI changed my plans, I'm going to VV.\nI'm going to VV instead.",
    "You are going to VV.\nLovely, you are going to VV.\nOkay, you are going to VV.\nI don't know where you are going yet.",
)
WHEN = _short(
    "when",
    "My KK is on VV.\nMy KK is VV.\nI have a KK on VV.\nI have my KK on VV.\nThe KK is on VV.\nThere is a KK on VV.\n"
    "Remind me that my KK is on VV.\nMy KK is at VV.\nMy KK takes place on VV.\nThe user's KK is on VV.\nI've got a KK on VV.\nMy KK is in VV.",
    "When is my KK?\nWhen's my KK?\nWhat day is my KK?\nWhich day is my KK?\nDo you remember when my KK is?\nDo you know when my KK is?\n"
    "Tell me when my KK is.\nWhen did I say my KK is?\nWhen was my KK again?\nOn which day is my KK?\nIs my KK on WW?\n"
    "When do I have my KK?\nWhat date is my KK?\nAnd when is my KK?",
    "Actually my KK is on VV.\nMy KK was moved to VV.\nNo, my KK is on VV.\nThey moved my KK to VV.\nMy KK is on VV now.\n"
    "My KK is not on WW, it is on VV.",
    "Your KK is on VV.\nNoted, your KK is on VV.\nOkay, your KK is on VV now.\nI don't know when your KK is.",
    tuple(e for e in EVENTS if e != "birthday"),
    weight=1.5,
)
PLACED = _short(
    "placed",
    "My KK are in the VV.\nI put my KK in the VV.\nI left my KK in the VV.\nI keep my KK in the VV.\nMy KK are on the VV.\n"
    "The KK are in the VV.\nI placed my KK on the VV.\nMy KK is in the VV.",
    "Where are my KK?\nWhere did I leave my KK?\nWhere did I put my KK?\nWhere is my KK?\nWhere do I keep my KK?\n"
    "Do you remember where my KK are?\nTell me where my KK are.\nI can't find my KK.\nDo you know where I left my KK?",
    "Actually my KK are in the VV.\nI moved my KK to the VV.\nMy KK are in the VV now.\nNo, my KK are in the VV.",
    "Your KK: in the VV.\nNoted, your KK: in the VV.\nOkay, your KK: in the VV now.\nI don't know where your KK went.",
    tuple(OBJECTS),
)
COUNTED = _short(
    "counted",
    "I have VV KK.\nI've got VV KK.\nWe have VV KK.\nThere are VV KK at home.\nI own VV KK.\nThe user has VV KK.",
    "How many KK do I have?\nHow many KK have I got?\nDo you remember how many KK I have?\nHow many KK do we have?\n"
    "Tell me how many KK I have.\nHow many KK did I say I have?\nDo I have WW KK?",
    "Actually I have VV KK.\nI have VV KK now.\nNo, I have VV KK.\nNow I have VV KK.",
    "Your number of KK is VV.\nOkay, your number of KK is VV.\nOkay, your number of KK is VV now.\nI don't know how many KK you have.",
    tuple(COUNTS),
)
THEY_LIVE = _short(
    "they live",
    "My KK lives in VV.\nMy KK is living in VV.\nMy KK moved to VV.\nMy KK's home is in VV.\nThe user's KK lives in VV.",
    "Where does my KK live?\nWhere is my KK living?\nWhich city does my KK live in?\nDo you remember where my KK lives?\n"
    "Tell me where my KK lives.\nDo you know where my KK lives?\nWhere did my KK move to?",
    "Actually my KK lives in VV.\nMy KK lives in VV now.\nMy KK moved to VV.\nNo, my KK lives in VV.",
    "Your KK lives in VV.\nOkay, your KK lives in VV.\nOkay, your KK lives in VV now.\nI don't know where your KK lives.",
    tuple(PEOPLE),
)
THEY_WORK = _short(
    "they work",
    "My KK works as a VV.\nMy KK is a VV.\nMy KK's job is VV.\nMy KK became a VV.\nThe user's KK works as a VV.",
    "What does my KK do?\nWhat is my KK's job?\nWhat does my KK do for a living?\nWhat does my KK work as?\n"
    "Do you remember my KK's job?\nTell me my KK's job.\nDo you know what my KK does?",
    "Actually my KK works as a VV.\nMy KK is a VV now.\nNo, my KK works as a VV.",
    "Your KK works as a VV.\nOkay, your KK works as a VV.\nOkay, your KK works as a VV now.\nI don't know your KK's job yet.",
    tuple(PEOPLE),
)
THEY_LIKE = _short(
    "they like",
    "My KK likes VV.\nMy KK loves VV.\nMy KK is a fan of VV.\nMy KK really likes VV.\nMy KK is crazy about VV.",
    "What does my KK like?\nWhat does my KK love?\nDo you remember what my KK likes?\nTell me what my KK likes.\n"
    "Do you know what my KK loves?\nWhat is my KK a fan of?",
    "Actually my KK likes VV.\nMy KK likes VV now.\nNo, my KK likes VV.",
    "Your KK likes VV.\nOkay, your KK likes VV.\nOkay, your KK likes VV now.\nI don't know what your KK likes.",
    tuple(PEOPLE),
)

FAMILIES: tuple[Family, ...] = (
    NAMED, SELF, LIKED, PROPERTY, LIVES, ORIGIN, WORKPLACE, JOB, BIRTHDAY, AGE, DRIVES, LEARNS, PLAYS, ALLERGY, DESTINATION,
    WHEN, PLACED, COUNTED, THEY_LIVE, THEY_WORK, THEY_LIKE,
)  # fmt: skip
