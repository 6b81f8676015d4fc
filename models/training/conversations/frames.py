"""Frames: what people put around a sentence. SS is the slot; see `notation`.

Notable choices
* Frames multiply with the phrasings of all families, so that training covers a space rather than a list. A composed
  sentence that equals a held-out phrasing is not trained (`compile.FactPatterns.held`).
* Frames have a held-out part of their own, by the same rule.
"""

from models.training.conversations.notation import bars

# Around a statement.
TELLING = bars("""
    Please remember that SS. | Remember that SS. | Did I tell you that SS? | Did I tell you SS? | Did I mention that
    SS? | Did you know that SS? | You should know that SS. | You should know SS. | I want you to know that SS. | I
    would like you to know that SS. | I wanted to tell you that SS. | I have to tell you that SS. | I need to tell
    you that SS. | I forgot to tell you that SS. | I forgot to say that SS. | I should mention that SS. | I should
    say that SS. | Let me tell you that SS. | Just so you know, SS. | Just to let you know, SS. | For your
    information, SS. | By the way, SS. | Keep in mind that SS. | Please keep in mind that SS. | Note that SS. |
    Please note that SS. | Don't forget that SS. | Please don't forget that SS. | Never forget that SS. | I think
    SS. | I believe SS. | I guess SS. | I know that SS. | It is true that SS. | It's a fact that SS. | The thing is,
    SS. | The truth is, SS. | To be honest, SS. | As you may know, SS. | As I said, SS. | As I told you, SS. | In
    case you wonder, SS. | In case you need it, SS. | Since you asked, SS. | Before I forget, SS. | For the record,
    SS. | One thing about me: SS. | One more thing: SS. | One more thing, SS. | Another thing, SS. | Something else:
    SS. | Fun fact: SS. | Guess what, SS. | You know, SS. | You know what? SS. | Well, SS. | So SS. | Now SS. |
    Okay, SS. | Oh, SS. | Also, SS. | And SS. | Listen, SS. | Look, SS. | Hi, SS. | Hello, SS. | Hey, SS. | Of
    course SS. | In fact SS. | These days SS. | At the moment SS. | Luckily SS. | I'm happy that SS. | I'm happy to
    say that SS. | I'm glad that SS. | I'm so proud that SS. | It's funny that SS. | It's nice that SS. | It may
    help to know that SS. | Remember this: SS. | Remember: SS. | Take a note: SS. | Make a note: SS. | Write this
    down: SS. | Save this: SS. | Here is something about me: SS. | Let me tell you something: SS. | I want to tell
    you something: SS. | I can tell you that SS. | Everyone knows that SS. | Nobody knows that SS. | Have I told you
    that SS? | Have I mentioned that SS? | Do you know that SS? | SS, remember that. | SS, please remember. | SS,
    please remember that. | SS, don't forget. | SS, don't forget it. | SS, by the way. | SS, you know. | SS, just so
    you know. | SS, if you want to know. | SS, in case you wonder. | SS, as I said. | SS, I think. | SS, to be
    honest. | SS, for your information. | SS, keep that in mind. | SS, note that. | SS, okay? | SS, got it? | SS,
    right? | SS, thanks. | SS, of course. | SS, and I like it. | SS and I'm happy about it. | SS, did you know? |
    SS, did I tell you? | SS. Please remember it. | SS. Remember that. | SS. Don't forget. | SS. Okay? | SS. Got it?
    | SS. Can you remember that? | SS. That's all. | SS. Thank you. | Okay so SS. | Well, you see, SS. | Hi! SS. |
    Hello! SS. | Good morning! SS. | Thanks. SS. | Okay. SS. | Nice. SS. | Alright, SS.
""")

# Around a whole question.
ASKING = bars("""
    So SS? | And SS? | But SS? | Now SS? | Okay, SS? | Well, SS? | Hey, SS? | Hi, SS? | Hello, SS? | Please, SS? |
    Listen, SS? | Again, SS? | By the way, SS? | One question: SS? | Quick question: SS? | One quick question, SS? |
    I have a question: SS? | I have a question, SS? | Here is a question: SS? | Next question: SS? | My question is:
    SS? | Can I ask you something? SS? | May I ask, SS? | Let me ask you: SS? | Let me ask, SS? | Let me ask you
    something: SS? | I want to ask you: SS? | Tell me: SS? | Tell me, SS? | Please tell me, SS? | Please tell me:
    SS? | Can you tell me: SS? | Remind me: SS? | Remind me, SS? | Do you remember: SS? | Do you know: SS? | Just
    checking, SS? | Just to check, SS? | Just curious, SS? | I'm curious, SS? | Out of curiosity, SS? | I wonder,
    SS? | I was wondering, SS? | Let's see, SS? | Let's see if you remember: SS? | Let's test your memory: SS? |
    Test: SS? | Sorry, SS? | Sorry to ask, SS? | Oh, SS? | Um, SS? | Hmm, SS? | Right, SS? | Anyway, SS? | Help me,
    SS? | Help me out, SS? | I forgot, SS? | I forgot: SS? | I can't remember, SS? | I don't remember, SS? | I'm not
    sure, SS? | Now tell me, SS? | Think: SS? | Think again, SS? | Earlier I told you something: SS? | As I told
    you, SS? | If you remember, SS? | If you know, SS? | Last question: SS? | SS, please? | SS, again? | SS, do you
    know? | SS, do you know that? | SS, do you remember? | SS, do you still know? | SS, can you tell me? | SS, tell
    me. | SS, remind me. | SS, I forgot. | SS, if you remember? | SS, if you know? | SS, by the way? | SS, just
    checking. | SS, I can't remember. | SS, thanks. | SS? Do you remember? | SS? Do you know? | SS? I forgot. | SS?
    Please tell me. | SS? Tell me please. | SS? I can't remember. | SS? Thanks. | SS? I want to know. | SS? I need
    to know. | Thanks. SS? | Okay. SS? | Nice. SS? | Great. SS? | Hello! SS? | Hi! SS? | Good. SS?
""")

# Around an indirect question ("where I live").
WONDERING = bars("""
    Do you know SS? | Do you remember SS? | Do you still know SS? | Do you still remember SS? | Do you happen to
    know SS? | Do you recall SS? | Can you tell me SS? | Can you say SS? | Can you remember SS? | Can you remind me
    SS? | Can you please tell me SS? | Could you tell me SS? | Could you remind me SS? | Could you say SS? | Could
    you please tell me SS? | Would you tell me SS? | Would you know SS? | Will you tell me SS? | Would you mind
    telling me SS? | Tell me SS. | Please tell me SS. | Just tell me SS. | Now tell me SS. | Tell me again SS. |
    Remind me SS. | Please remind me SS. | Say SS. | Please say SS. | I wonder SS. | I was wondering SS. | I am
    wondering SS. | I'm wondering SS. | I forgot SS. | I forget SS. | I have forgotten SS. | I've forgotten SS. | I
    can't remember SS. | I don't remember SS. | I don't know SS. | I'm not sure SS. | I want to know SS. | I need to
    know SS. | I would like to know SS. | I'd like to know SS. | I'd love to know SS. | I want to hear SS. | I'm
    trying to remember SS. | I'm curious SS. | Let me know SS. | Let's see if you know SS. | Let's see if you
    remember SS. | Let me see if you know SS. | Tell me if you know SS. | Tell me if you remember SS. | Did I tell
    you SS? | Did I ever tell you SS? | Did I mention SS? | Did I say SS? | Have I told you SS? | Have I ever told
    you SS? | Have I mentioned SS? | Have you forgotten SS? | Did you forget SS? | Any idea SS? | Any idea about SS?
    | Do you have any idea SS? | Have you any idea SS? | You know SS, right? | You know SS, don't you? | You
    remember SS, right? | You remember SS, don't you? | I told you SS, right? | I told you SS, what was it? | I hope
    you remember SS. | I hope you know SS. | Are you able to tell me SS? | Are you sure you know SS? | Try to
    remember SS. | Please try to remember SS. | Think about SS. | My question is SS. | May I ask SS? | Can I ask SS?
    | Can I ask you SS? | I want to ask SS. | I wanted to ask SS. | I have to ask SS. | Guess SS. | Can you guess
    SS? | Explain SS. | What do you know about SS? | Please help me remember SS. | Help me remember SS. | Remember
    SS? | Know SS? | And do you know SS? | So do you know SS? | But do you know SS? | Now do you know SS? | Do you
    by any chance know SS? | Do you perhaps remember SS? | Do you maybe know SS? | Hey, do you know SS? | Hi, do you
    remember SS? | Do you know SS by now? | Do you know SS again? | Do you know SS, please? | Can you tell me SS
    again? | Can you tell me SS please? | Tell me SS please. | Tell me SS again. | Tell me SS, please. | Remind me
    SS again. | I forgot SS again. | I forgot SS, can you tell me? | I forgot SS, do you know? | I forgot SS, please
    tell me. | I can't remember SS, can you? | I don't remember SS, do you?
""")

# Around a thing ("the name of my dog").
NAMING = bars("""
    What is SS? | What's SS? | What was SS? | What was SS again? | What is SS again? | What's SS again? | So what is
    SS? | So what's SS? | And what is SS? | And what's SS? | Now what is SS? | Do you know SS? | Do you remember SS?
    | Do you still know SS? | Do you still remember SS? | Do you recall SS? | Can you tell me SS? | Can you remember
    SS? | Can you say SS? | Can you give me SS? | Can you name SS? | Could you tell me SS? | Could you give me SS? |
    Could you remind me of SS? | Can you remind me of SS? | Would you tell me SS? | Will you tell me SS? | Tell me
    SS. | Please tell me SS. | Tell me SS again. | Tell me SS please. | Tell me about SS. | Remind me of SS. |
    Please remind me of SS. | Remind me about SS. | Give me SS. | Please give me SS. | Say SS. | Please say SS. |
    Name SS. | And SS? | So SS? | What about SS? | And what about SS? | How about SS? | I forgot SS. | I have
    forgotten SS. | I've forgotten SS. | I forget SS. | I can't remember SS. | I don't remember SS. | I don't know
    SS. | I want to know SS. | I need to know SS. | I need SS. | I would like to know SS. | I'd like to know SS. |
    I'd like to hear SS. | I want to hear SS. | I'm trying to remember SS. | I wonder about SS. | I was wondering
    about SS. | I was thinking about SS. | I asked about SS. | My question is about SS. | Did I tell you SS? | Did I
    mention SS? | Have I told you SS? | Have I mentioned SS? | Have you forgotten SS? | Did you forget SS? | Any
    idea about SS? | You know SS, right? | You know SS, don't you? | You remember SS, right? | You remember SS,
    don't you? | What did I tell you about SS? | What did I say about SS? | What do you know about SS? | What do you
    remember about SS? | What can you tell me about SS? | I told you SS, right? | I told you SS, what is it? | I
    hope you remember SS. | Try to remember SS. | Let me know SS. | Let me hear SS. | Guess SS. | Can you guess SS?
    | SS, please. | SS, please? | SS? | SS is? | SS was? | SS is what? | SS, what is it? | SS, what was it? | SS, do
    you know it? | SS, do you remember it? | Hey, what's SS? | Hi, what is SS? | Okay, what is SS? | Quick, what is
    SS? | Tell me, what is SS? | Remind me, what is SS? | I forgot, what is SS? | Do you know what SS is? | Do you
    remember what SS is? | Can you tell me what SS is? | Could you tell me what SS is? | Tell me what SS is. |
    Remind me what SS is. | I wonder what SS is. | I forgot what SS is. | I was wondering what SS is. | What did I
    say SS is? | What did I say SS was? | What did I tell you SS is? | What did you say SS is? | What would you say
    SS is? | What do you think SS is? | What could SS be? | Show me SS. | Help me remember SS.
""")

# Around a statement that corrects an earlier one.
CORRECTING = bars("""
    Actually, SS. | Actually SS. | Actually SS now. | No, SS. | No no, SS. | No wait, SS. | Wait, SS. | Wait, no,
    SS. | Oh wait, SS. | Oh no, SS. | Oops, SS. | Sorry, SS. | Sorry, I meant SS. | I'm sorry, SS. | Sorry, that was
    wrong, SS. | Correction: SS. | A correction: SS. | Small correction: SS. | Update: SS. | An update: SS. | Change
    of plan: SS. | I meant SS. | I mean SS. | I meant to say SS. | I meant to say that SS. | I wanted to say SS. | I
    should have said SS. | I was wrong, SS. | I was wrong: SS. | I got that wrong, SS. | I got it wrong, SS. | I
    made a mistake, SS. | I made a mistake: SS. | I made an error, SS. | My mistake, SS. | I misspoke, SS. | That
    was wrong, SS. | That's wrong, SS. | That's not right, SS. | That is not true, SS. | That's not true anymore,
    SS. | That has changed, SS. | Things changed, SS. | Things have changed, SS. | It has changed: SS. | I changed
    my mind, SS. | I've changed my mind, SS. | To correct myself, SS. | Let me correct that: SS. | Let me correct
    that, SS. | Let me correct myself: SS. | I have to correct myself, SS. | I need to correct something: SS. |
    Forget that, SS. | Forget what I said, SS. | Forget what I said before, SS. | Forget the old one, SS. | Scratch
    that, SS. | Not anymore, SS. | From now on SS. | Now SS. | By now SS. | These days SS. | In truth SS. | In fact
    SS. | The truth is that SS. | Well, actually SS. | Well, in fact SS. | Hmm, actually SS. | Please change that:
    SS. | Please update: SS. | Please correct that: SS. | Please note that SS now. | I have news: SS now. | Big
    news: SS now. | News: SS. | Remember that SS now. | Just so you know, SS now. | SS now. | SS, actually. | SS
    instead. | SS after all. | SS, sorry. | SS, I was wrong. | SS, I made a mistake. | SS, not WW. | SS, not WW.
    Sorry. | SS now, not WW. | SS and not WW. | Not WW. SS. | Not WW, SS. | It's not WW. SS. | I said WW, but SS. |
    I said WW but SS. | I told you WW, but SS. | Forget WW, SS. | It was WW, but now SS. | As of today SS. |
    Starting today SS. | Since yesterday SS. | Since last week SS. | Okay, now SS. | Okay, actually SS.
""")
