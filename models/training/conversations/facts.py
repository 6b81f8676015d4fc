"""Families of facts: how people state one, ask for it, correct it; what the assistant answers.

KK stands for the key (a noun), VV for the value, WW for some other value. A family without keys has one fact.

Notable choices
* The key stands at most four words before the value in every answer and acknowledgement: the neighbour windows of
  encoder and decoder reach that far, and binding is learned through them.
* The assistant repeats a fact when it is told one, in one form per family.
"""

from dataclasses import dataclass

from models.training.conversations.nouns import ANIMALS, LIKES, PEOPLE, PROPERTIES, THINGS


@dataclass(frozen=True, slots=True)
class Family:
    """Phrasings of one kind of fact."""

    name: str
    keys: tuple[str, ...]
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    corrections: tuple[str, ...]
    answer: str
    noted: str
    changed: str
    unknown: str
    weight: float = 1.0


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines() if line.strip())


NAMED = Family(
    "named",
    (*PEOPLE, *ANIMALS, *THINGS),
    _lines("""
    My KK is called VV.
    My KK's name is VV.
    My KK is named VV.
    The name of my KK is VV.
    I have a KK called VV.
    I have a KK named VV.
    I've got a KK called VV.
    I've got a KK named VV.
    I have a KK. The name is VV.
    I have a KK. His name is VV.
    I have a KK. Her name is VV.
    I have a KK and his name is VV.
    I have a KK and her name is VV.
    I have a KK and it is called VV.
    VV is my KK.
    VV is my KK's name.
    VV is the name of my KK.
    I called my KK VV.
    I named my KK VV.
    We call our KK VV.
    We named our KK VV.
    Our KK is called VV.
    Our KK's name is VV.
    This is my KK VV.
    My KK VV is here.
    My KK VV is ill today.
    My KK VV says hello.
    I got a new KK and named it VV.
    I have a new KK called VV.
    We have a KK called VV.
    We just got a KK, VV.
    Did I tell you my KK is called VV?
    You should know that my KK is called VV.
    Please remember that my KK is called VV.
    Remember my KK's name: VV.
    Remember this: my KK is called VV.
    Don't forget that my KK's name is VV.
    My KK goes by VV.
    Everyone calls my KK VV.
    My KK, VV, is great.
    I love my KK VV.
    I went out with my KK VV.
    I live with my KK VV.
    My KK: VV.
    The user's KK is called VV.
    User has a KK named VV.
    The name of the user's KK is VV.
    I want to tell you about my KK. The name is VV.
    I am looking after my KK VV.
    """),
    _lines("""
    What is my KK called?
    What is my KK's name?
    What's my KK's name?
    What's my KK called?
    What is the name of my KK?
    What's the name of my KK?
    What was my KK's name?
    What was the name of my KK?
    What was my KK called?
    Do you remember my KK's name?
    Do you remember the name of my KK?
    Do you remember what my KK is called?
    Do you know my KK's name?
    Do you know the name of my KK?
    Do you know what my KK is called?
    Can you remember my KK's name?
    Can you tell me my KK's name?
    Can you tell me the name of my KK?
    Could you tell me what my KK is called?
    Tell me my KK's name.
    Tell me the name of my KK.
    Tell me what my KK is called.
    What did I call my KK?
    What did I name my KK?
    What do I call my KK?
    What do we call our KK?
    What name did I give my KK?
    Which name did I give to my KK?
    Who is my KK?
    Remind me what my KK is called.
    Remind me of my KK's name.
    Remind me of the name of my KK.
    I forgot my KK's name.
    I forgot my KK's name, what is it?
    I can't remember my KK's name.
    I forget what my KK is called.
    What did I say my KK was called?
    What did I say my KK's name was?
    What did I tell you my KK's name was?
    What was my KK's name again?
    So what's my KK's name again?
    My KK's name is?
    And my KK's name?
    And my KK?
    And what is my KK called?
    How is my KK called?
    Have I told you my KK's name?
    Did I tell you my KK's name?
    Do I have a KK?
    Is my KK called WW?
    What is our KK called?
    What's our KK's name?
    Name of my KK?
    What name does my KK have?
    I would like to know my KK's name.
    Say my KK's name.
    You know my KK's name, right?
    """),
    _lines("""
    Actually my KK is called VV.
    Actually my KK is called VV now.
    Actually, my KK's name is VV.
    No, my KK is called VV.
    No wait, my KK is called VV.
    Sorry, my KK is called VV.
    I meant my KK is called VV.
    Correction: my KK is called VV.
    We renamed our KK to VV.
    I renamed my KK VV.
    My KK is now called VV.
    My KK's name is VV now.
    My KK's name is not WW, it is VV.
    My KK is not called WW but VV.
    I was wrong, my KK is called VV.
    My KK changed name to VV.
    From now on my KK is called VV.
    I have a new KK now, called VV.
    """),
    "Your KK is called VV.",
    "Got it, your KK is called VV.",
    "Okay, your KK is called VV now.",
    "I don't know your KK's name yet.",
    8.0,
)

SELF = Family(
    "self",
    (),
    _lines("""
    My name is VV.
    I'm VV.
    I am VV.
    Call me VV.
    You can call me VV.
    I'm called VV.
    I am called VV.
    They call me VV.
    People call me VV.
    My friends call me VV.
    This is VV.
    VV here.
    My name's VV.
    I go by VV.
    Nice to meet you, I'm VV.
    Hello, my name is VV.
    Please call me VV.
    The name's VV.
    It's me, VV.
    Let me introduce myself. I'm VV.
    Hi there, VV here.
    The user's name is VV.
    The user is called VV.
    Hello, I am VV, how are you?
    """),
    _lines("""
    What is my name?
    What's my name?
    Who am I?
    What am I called?
    Do you remember my name?
    Do you know my name?
    Do you know who I am?
    Do you remember who I am?
    Do you remember me?
    Can you tell me my name?
    Tell me my name.
    Say my name.
    What did I say my name was?
    What was my name again?
    What was my name?
    Do you still know my name?
    Remind me of my name.
    Have I told you my name?
    Did I tell you my name?
    I forgot my own name.
    What do you call me?
    What should you call me?
    How am I called?
    My name is?
    And my name?
    And who am I?
    Is my name WW?
    What name did I give you?
    """),
    _lines("""
    Actually my name is VV.
    No, my name is VV.
    Sorry, my name is VV.
    Call me VV from now on.
    I meant my name is VV.
    I'm not WW, I'm VV.
    My name is not WW, it is VV.
    Actually, call me VV.
    I changed my name to VV.
    Correction: my name is VV.
    """),
    "Your name is VV.",
    "Nice to meet you, VV.",
    "Okay, your name is VV now.",
    "I don't know your name yet.",
    2.0,
)

LIKED = Family(
    "favourite",
    LIKES,
    _lines("""
    My favourite KK is VV.
    VV is my favourite KK.
    The KK I like best is VV.
    The KK I love most is VV.
    The KK I like most is VV.
    My favourite KK has always been VV.
    I think my favourite KK is VV.
    I like the KK VV best.
    I'd say my favourite KK is VV.
    My most loved KK is VV.
    My favourite KK of all time is VV.
    Of every KK, I like VV the most.
    Please remember that my favourite KK is VV.
    Did you know that my favourite KK is VV?
    My favourite KK: VV.
    For me the best KK is VV.
    The best KK is VV.
    The user's favourite KK is VV.
    If I had to pick a favourite KK it would be VV.
    Our favourite KK is VV.
    """),
    _lines("""
    What is my favourite KK?
    What's my favourite KK?
    Which KK do I like best?
    Which KK do I like most?
    Which KK do I love most?
    What KK do I like best?
    What KK do I like?
    Which is my favourite KK?
    Do you remember my favourite KK?
    Do you know my favourite KK?
    Do you know what my favourite KK is?
    Do you remember which KK I like best?
    Tell me my favourite KK.
    Can you tell me my favourite KK?
    What did I say my favourite KK was?
    What was my favourite KK?
    What was my favourite KK again?
    Remind me what my favourite KK is.
    I forgot my favourite KK.
    What KK is my favourite?
    My favourite KK is?
    And my favourite KK?
    And what is my favourite KK?
    Is my favourite KK WW?
    Have I told you my favourite KK?
    Guess my favourite KK.
    What would you say is my favourite KK?
    """),
    _lines("""
    Actually my favourite KK is VV.
    No, my favourite KK is VV.
    My favourite KK is VV now.
    My favourite KK is now VV.
    I changed my mind, my favourite KK is VV.
    Sorry, my favourite KK is VV.
    My favourite KK is not WW, it is VV.
    These days my favourite KK is VV.
    Correction: my favourite KK is VV.
    I like the KK VV best now.
    """),
    "Your favourite KK is VV.",
    "Noted, your favourite KK is VV.",
    "Okay, your favourite KK is VV now.",
    "I don't know your favourite KK yet.",
    4.0,
)

PROPERTY = Family(
    "property",
    PROPERTIES,
    _lines("""
    My KK is VV.
    VV is my KK.
    The KK I have is VV.
    Please remember my KK: VV.
    Remember that my KK is VV.
    Don't forget my KK is VV.
    My KK: VV.
    You should know my KK is VV.
    Note that my KK is VV.
    For the record, my KK is VV.
    The user's KK is VV.
    I want you to know that my KK is VV.
    """),
    _lines("""
    What is my KK?
    What's my KK?
    Do you remember my KK?
    Do you know my KK?
    Tell me my KK.
    Can you tell me my KK?
    What was my KK?
    What was my KK again?
    What did I say my KK was?
    Remind me of my KK.
    I forgot my KK.
    I can't remember my KK.
    Do you know what my KK is?
    Which KK do I have?
    And my KK?
    My KK is?
    Is my KK WW?
    Have I told you my KK?
    """),
    _lines("""
    Actually my KK is VV.
    No, my KK is VV.
    My KK is VV now.
    My KK is now VV.
    Sorry, my KK is VV.
    I changed my KK to VV.
    My KK is not WW, it is VV.
    Correction: my KK is VV.
    My new KK is VV.
    """),
    "Your KK is VV.",
    "Noted, your KK is VV.",
    "Okay, your KK is VV now.",
    "I don't know your KK yet.",
    2.5,
)
