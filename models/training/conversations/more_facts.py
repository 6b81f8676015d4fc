"""Families of facts about one's own life, one fact each: home, work, birthday, age. See `notation`."""

from models.training.conversations.notation import family

LIVES = family(
    "lives",
    """
    told
        I live in VV. | I am living in VV. | I'm living in VV. | My home is in VV. | Home is VV. | I'm based in VV. |
        I moved to VV. | I moved to VV last year. | My house is in VV. | I have lived in VV for years. | I live in VV
        with my family. | I live in a place called VV. | We live in VV. | The user lives in VV. | I've been living in
        VV for a while. | I have a flat in VV. | My place is in VV. | I currently live in VV. | I live near VV. | I'm
        now living in VV. | At the moment I live in VV. | These days I live in VV. | I have been living in VV for
        years. | I've lived in VV all my life. | I've always lived in VV. | I have my home in VV. | I have a house in
        VV. | I rent a flat in VV. | I have a small place in VV. | I own a house in VV. | I share a flat in VV. | We
        have a house in VV. | We are living in VV. | My family and I live in VV. | My flat is in VV. | My apartment is
        in VV. | My address is in VV. | The place I live in is VV. | The city I live in is VV. | The town I live in is
        called VV. | The town where I live is VV. | VV is where I live. | VV is my home. | VV is my home town now. |
        VV is the place where I live. | VV is the city I live in. | I reside in VV. | I stay in VV. | I settled in VV.
        | I settled down in VV. | I moved to VV a few years ago. | I moved here, to VV. | I live over in VV. | I live
        right in VV. | I live outside VV. | I live close to VV. | I live just outside of VV. | I live alone in VV. | I
        live in the city of VV. | I live in a small town called VV. | I live in a village called VV. | I live in a
        house in VV. | I live here in VV. | You can find me in VV, that is my home. | I call VV my home. | My home
        town is VV now.
    asked
        Where do I live? | Which city do I live in? | What city do I live in? | Where is my home? | Where am I living?
        | Do you remember where I live? | Do you know where I live? | Tell me where I live. | Can you tell me where I
        live? | Where did I say I live? | Where did I move to? | What town do I live in? | Where is my house? | Where
        do we live? | In which city do I live? | Where's home for me? | Do I live in WW? | Remind me where I live. |
        What place do I live in? | And where do I live? | Where am I based? | Have I told you where I live? | Where do
        I live again? | Where do I live now? | Where do I currently live? | Where do I live at the moment? | Where do
        I live these days? | Where is it that I live? | Where is it I live? | Where's my house? | Where's my home? |
        Where is my flat? | Where is my place? | Where is my apartment? | Where have I been living? | Where do I have
        my home? | Where do I have a house? | Where do I reside? | Where do I stay? | Where have I settled? | Where
        did I settle? | Which town do I live in? | Which place do I live in? | What is the place I live in? | What's
        the place I live in? | What is the city I live in? | What is the town I live in? | What is my home? | What's
        my city? | In what city do I live? | In which town do I live? | In which place do I live? | What place do I
        call home? | Where do I call home? | What did I say about where I live? | What did I tell you about where I
        live? | Where did I tell you I live? | Where did I say I was living? | Where did I say my home is? | So where
        do I live? | I live where? | I live in? | Where is the user living? | Where does the user live? | Can you say
        where I live? | Could you tell me where I live? | Please tell me where I live. | Give me the place where I
        live. | Name the city I live in. | You know where I live, right? | You remember where I live, don't you? | I
        wonder where I live. | I forgot where I live. | Did I tell you where I live? | Did I mention where I live?
    corrected
        Actually I live in VV. | Actually I live in VV now. | I moved to VV. | I just moved to VV. | No, I live in VV.
        | I now live in VV. | We moved to VV. | I don't live in WW anymore, I live in VV. | Sorry, I live in VV. | I
        live in VV now. | No, I moved to VV. | Actually I moved to VV. | Oh, I live in VV. | Wait, I live in VV. | I
        meant I live in VV. | I was wrong, I live in VV. | I made a mistake, I live in VV. | From now on I live in VV.
        | I don't live in WW, I live in VV. | I don't live in WW but in VV. | I left WW and moved to VV. | I left WW,
        I live in VV now. | I used to live in WW, now I live in VV. | I've moved, I live in VV now. | I have moved to
        VV. | I've just moved to VV. | I moved, my new home is VV. | I moved from WW to VV. | I moved again, to VV. |
        My new home is in VV. | My new home is VV. | I found a new home in VV. | I found a new flat in VV. | We now
        live in VV. | I'm living in VV now. | Now I live in VV. | These days I live in VV. | Update: I live in VV. |
        Correction: I live in VV. | To correct myself, I live in VV. | I'm now based in VV.
    clauses
        where I live | where I am living | where my home is | which city I live in | where I live now | where my house
        is | what city I live in | which town I live in | where I moved to | where I lived | where we live | where I
        have my home | what place I live in
    things
        the city I live in | the town I live in | the place I live in | the place where I live | the city where I live
        | my home
    first
        Where did I live at first? | Where did I live before? | Where did I first say I live? | Where did I live
        before I moved? | Where did I live before that? | Where did I live in the beginning? | Where did I live
        originally? | Which city did I live in at first? | Which city did I live in before? | Where was my first home?
        | What was my old city? | Where was my old home?
    replies
        You live in VV. | Okay, you live in VV. | Okay, you live in VV now. | I don't know where you live yet. | At
        first you lived in VV.
    """,
    weight=2.0,
    near=("origin", "workplace", "destination"),
)

ORIGIN = family(
    "origin",
    """
    told
        I'm from VV. | I am from VV. | I come from VV. | Originally I'm from VV. | I'm originally from VV. | I grew up
        in VV. | My family is from VV. | The user is from VV. | I was born in VV. | I was born and raised in VV. | My
        roots are in VV. | VV is where I'm from. | VV is where I come from. | VV is where I grew up. | VV is where I
        was born. | I spent my childhood in VV. | I was raised in VV. | I was a child in VV. | I'm a child of VV. | My
        home country is VV. | My family comes from VV. | My parents are from VV. | The place I'm from is VV. | The
        place I come from is VV. | I come from a place called VV. | I'm from a town called VV. | I'm from a small
        place called VV. | Originally I come from VV. | I originally come from VV. | My origins are in VV. | I have my
        roots in VV. | I hail from VV. | By birth I'm from VV. | I'm actually from VV. | We come from VV. | We are
        from VV. | Where I come from is VV. | I'm somebody from VV.
    asked
        Where am I from? | Where do I come from? | Where did I grow up? | Where was I born? | Do you remember where
        I'm from? | Do you know where I come from? | Tell me where I'm from. | Where did I say I'm from? | Which place
        am I from? | Can you tell me where I come from? | Where am I originally from? | Am I from WW? | What country
        am I from? | Where am I really from? | Where is it that I'm from? | Where is it I come from? | Which country
        am I from? | Which town am I from? | What town am I from? | What place am I from? | What city am I from? |
        Which city do I come from? | What place do I come from? | Where did I spend my childhood? | Where was I
        raised? | Where are my roots? | Where is my family from? | Where did I come from? | Where did I say I was
        born? | Where did I say I grew up? | Where did I say I come from? | Where did I tell you I'm from? | What is
        my home country? | What did I say about where I'm from? | So where am I from? | And where am I from? | And
        where do I come from? | I'm from where? | I come from? | Could you tell me where I'm from? | Please tell me
        where I'm from. | You know where I'm from, right? | I forgot where I'm from. | Did I tell you where I'm from?
        | Where is the user from? | Remind me where I'm from. | Have I told you where I'm from?
    corrected
        Actually I'm from VV. | No, I'm from VV. | Sorry, I come from VV. | I'm not from WW, I'm from VV. | I meant
        I'm from VV. | Actually I come from VV. | No, I come from VV. | No, I grew up in VV. | Actually I grew up in
        VV. | Oh, I'm from VV. | Wait, I'm from VV. | Oops, I'm from VV. | I was wrong, I'm from VV. | I made a
        mistake, I'm from VV. | I misspoke, I'm from VV. | I don't come from WW, I come from VV. | I'm not from WW but
        from VV. | I said WW, but I'm from VV. | Correction: I'm from VV. | Update: I'm from VV. | To correct myself,
        I'm from VV. | Forget WW, I'm from VV. | Sorry, I'm from VV.
    clauses
        where I am from | where I'm from | where I come from | where I grew up | where I was born | which place I come
        from | where my roots are | which country I'm from | where my family is from
    things
        the place I'm from | the place I come from | the place where I was born | the place where I grew up
    replies
        You are from VV. | Nice, you are from VV. | Okay, you are from VV. | I don't know where you are from yet.
    """,
    near=("lives", "destination", "self"),
)

WORKPLACE = family(
    "workplace",
    """
    told
        I work at VV. | I work for VV. | I'm working at VV. | I have a job at VV. | My employer is VV. | I'm employed
        at VV. | I started working at VV. | I got a job at VV. | The user works at VV. | My office is at VV. | I'm at
        VV, that is where I work. | I currently work at VV. | I currently work for VV. | At the moment I work for VV.
        | These days I work at VV. | I have been working for VV for years. | I've worked at VV for years. | I've been
        at VV for years, that is where I work. | I work full time at VV. | I work part time at VV. | I work every day
        at VV. | I'm employed by VV. | I have a position at VV. | I have a new job at VV. | I found a job at VV. | I
        found work at VV. | I took a job at VV. | I joined VV as an employee. | I joined the company VV. | The company
        I work for is VV. | The company I work for is called VV. | The company where I work is VV. | The place where I
        work is VV. | VV is where I work. | VV is my employer. | VV is the company I work for. | VV is my workplace. |
        VV pays my salary. | VV gave me a job. | My workplace is VV. | My job is at VV. | My work is at VV. | My
        company is called VV. | My desk is at VV. | I earn my money at VV. | I go to work at VV. | I work in the
        office of VV. | I work for a company called VV. | I work at a place called VV. | I spend my days at VV,
        working. | I do my work at VV. | I'm on the staff of VV.
    asked
        Where do I work? | Who do I work for? | What company do I work for? | Which company do I work at? | Who is my
        employer? | Do you remember where I work? | Do you know where I work? | Tell me where I work. | Where did I
        say I work? | Where is my office? | Where am I working? | Can you tell me who I work for? | Do I work at WW? |
        Where do I have a job? | Where do I work now? | And where do I work? | Where do I currently work? | Where do I
        work at the moment? | Where do I work these days? | Where is it that I work? | Where is my work? | Where's my
        work? | Where is my job? | Where's my office? | Where do I go to work? | Where am I employed? | Where have I
        been working? | Where did I start working? | Where did I find a job? | Where did I get a job? | Where do I
        earn my money? | Which company do I work for? | Which company employs me? | Which company am I with? | What
        company am I with? | What company do I work at? | What is my company? | What is my company called? | What is
        the company I work for? | What is the place where I work? | What is my workplace? | What's my workplace? | Who
        employs me? | Who pays me? | Who pays my salary? | Who's my employer? | Who gave me a job? | For whom do I
        work? | For which company do I work? | Who is it that I work for? | Who did I say I work for? | Who did I tell
        you I work for? | Where did I tell you I work? | What did I say about where I work? | So where do I work? | I
        work where? | I work for whom? | I work at? | Please tell me where I work. | Could you tell me where I work? |
        You know where I work, right? | You remember where I work, don't you? | I forgot where I work. | Remind me
        where I work. | Where does the user work? | Name my employer. | Did I tell you where I work? | Have I told you
        where I work?
    corrected
        Actually I work at VV. | I work at VV now. | I now work for VV. | I changed jobs, I work at VV now. | No, I
        work at VV. | I left WW, I work at VV now. | Sorry, I work at VV. | Actually I work for VV. | No, I work for
        VV. | Oh, I work at VV. | Wait, I work at VV. | I meant I work at VV. | I was wrong, I work at VV. | I made a
        mistake, I work at VV. | I don't work at WW, I work at VV. | I don't work for WW anymore, I work for VV. | I
        used to work at WW, now I work at VV. | I left WW and joined VV. | I went from WW to VV, that is where I work.
        | I quit, I work at VV now. | I have a new job at VV now. | I started a new job at VV. | My new employer is
        VV. | My employer is now VV. | My new company is VV. | From now on I work at VV. | Now I work for VV. | I'm
        working at VV now. | Correction: I work at VV. | Update: I work at VV. | To correct myself, I work at VV. |
        These days I work for VV.
    clauses
        where I work | who I work for | which company I work for | who my employer is | where my office is | where I
        am working | what company I work for | where I worked | where I have a job | where I'm employed | where I work
        now | what my workplace is
    things
        my employer | my workplace | the company I work for | the place where I work | the company I work at
    first
        Where did I work at first? | Where did I work before? | Who did I work for at first? | Who did I work for
        before? | Where did I first say I work? | Where did I work before I changed jobs? | Where did I work
        originally? | Who was my first employer? | Who was my old employer? | Which company did I work for at first? |
        Where did I work in the beginning?
    replies
        You work at VV. | Okay, you work at VV. | Okay, you work at VV now. | I don't know where you work yet. | At
        first you worked at VV.
    """,
    near=("job", "lives"),
)

JOB = family(
    "job",
    """
    told
        I work as a VV. | I'm a VV. | I am a VV. | My job is VV. | I'm working as a VV. | I'm a VV by profession. | My
        profession is VV. | I earn my money as a VV. | I make a living as a VV. | I have been a VV for years. | I
        became a VV. | The user is a VV. | The user works as a VV. | I'm employed as a VV. | I currently work as a VV.
        | At the moment I work as a VV. | These days I work as a VV. | I've been a VV for years. | I've worked as a VV
        for years. | I have always been a VV. | I'm a trained VV. | I'm a professional VV. | I'm a full time VV. | I'm
        a part time VV. | I trained as a VV. | I was trained to be a VV. | My occupation is VV. | My line of work is
        VV. | My work is being a VV. | By profession I'm a VV. | By trade I'm a VV. | For a living I work as a VV. |
        For a living I'm a VV. | For work I'm a VV. | In my job I'm a VV. | I have a job as a VV. | I got a job as a
        VV. | I found work as a VV. | I started working as a VV. | The job I have is VV. | The work I do is VV. | VV
        is my job. | VV is my profession. | VV is what I do for a living. | VV is what I am by profession. | They pay
        me to be a VV. | I spend my days as a VV. | I make my money as a VV. | I do the job of a VV. | What I do is
        VV, that is my job.
    asked
        What is my job? | What's my job? | What do I do? | What do I do for a living? | What is my profession? | What
        do I work as? | Do you remember my job? | Do you know what I do for a living? | Tell me what my job is. | What
        did I say my job was? | What kind of job do I have? | What kind of work do I do? | Am I a WW? | What am I by
        profession? | Do you know my job? | What's my job again? | And my job? | What is my occupation? | What's my
        occupation? | What's my profession? | What is my current job? | What job do I do? | What job do I have? |
        Which job do I have? | Which job do I do? | What work do I do? | What is my work? | What's my work? | What is
        my line of work? | What kind of job do I do? | What am I working as? | What do I work as at the moment? | What
        do I do for work? | What do I do for money? | How do I earn my money? | How do I make a living? | How do I
        earn a living? | What do I earn my money with? | What am I for a living? | What am I trained as? | As what do
        I work? | What profession do I have? | Which profession do I have? | What did I say I do? | What did I say I
        do for a living? | What did I say about my job? | What did I tell you about my job? | What did I tell you my
        job was? | So what do I do? | So what's my job? | My job is? | My job, please? | I work as? | I work as a
        what? | Give me my job. | Name my job. | Name my profession. | Please tell me my job. | Can you tell me my
        job? | Could you tell me what I do for a living? | Tell me my profession. | You know my job, right? | You
        remember my job, don't you? | Remind me what I do. | I forgot my job. | Did I tell you my job? | Have I told
        you what I do? | What does the user do?
    corrected
        Actually I work as a VV. | I'm a VV now. | I work as a VV now. | No, I'm a VV. | I'm not a WW, I'm a VV. | I
        became a VV. | I changed jobs, I'm a VV now. | No, I work as a VV. | Actually I'm a VV. | Actually, my job is
        VV. | Oh, I work as a VV. | Wait, I work as a VV. | I meant I'm a VV. | I was wrong, I'm a VV. | I made a
        mistake, I work as a VV. | I don't work as a WW, I work as a VV. | I'm no longer a WW, I'm a VV. | I used to
        be a WW, now I'm a VV. | I was a WW, but now I'm a VV. | I quit being a WW, now I'm a VV. | I have a new job
        as a VV. | I started a new job as a VV. | My new job is VV. | My job is VV now. | My job is now VV. | I'm
        working as a VV now. | Now I work as a VV. | From now on I work as a VV. | Correction: I work as a VV. |
        Update: I work as a VV. | Sorry, I'm a VV. | Sorry, I work as a VV. | To correct myself, I'm a VV. | These
        days I work as a VV.
    clauses
        what my job is | what I do for a living | what I work as | what my profession is | what I do | what kind of
        work I do | what job I have | what my job was | how I earn my money | what my occupation is | what I am by
        profession | what I do for work
    things
        my job | my profession | my occupation | the job I have | the work I do | my line of work
    first
        What was my job at first? | What was my job before? | What did I first say my job was? | What was my first
        job? | What did I work as at first? | What did I work as before? | What did I do before I changed jobs? | What
        was my old job? | What was my job originally? | What was my job in the beginning? | What was my profession at
        first?
    replies
        You work as a VV. | Good to know, you work as a VV. | Okay, you work as a VV now. | I don't know your job yet.
        | At first you worked as a VV.
    """,
    near=("workplace", "learns"),
)

BIRTHDAY = family(
    "birthday",
    """
    told
        My birthday is in VV. | My birthday is on VV. | My birthday is VV. | I was born in the month of VV. | I have
        my birthday in VV. | I celebrate my birthday in VV. | My birthday falls in VV. | The user's birthday is in VV.
        | VV is my birthday month. | I was born in VV. | I was born on VV. | I am a VV baby. | My birthday is always
        in VV. | My birthday comes in VV. | My birthday is coming up in VV. | My birth month is VV. | My day of birth
        is VV. | My date of birth is VV. | The date of my birthday is VV. | The day of my birthday is VV. | I turn a
        year older in VV. | I get a year older in VV. | I have a birthday in VV. | My special day is VV, my birthday.
        | We celebrate my birthday in VV. | We celebrate my birthday on VV. | I will have my birthday in VV. | My
        party is in VV because it's my birthday. | Remember my birthday: VV. | VV is my birthday. | VV is when I was
        born. | VV is when my birthday is. | In VV I celebrate my birthday. | In VV it is my birthday. | On VV it's my
        birthday. | It's my birthday on VV. | It's my birthday in VV. | I have my birthday on VV.
    asked
        When is my birthday? | When's my birthday? | What month is my birthday? | Which month is my birthday in? | In
        which month was I born? | Do you remember my birthday? | Do you know when my birthday is? | Tell me when my
        birthday is. | When was my birthday again? | When did I say my birthday is? | What is my birthday? | Is my
        birthday in WW? | When do I celebrate my birthday? | And my birthday? | When exactly is my birthday? | When
        was I born? | When am I born? | When do I have my birthday? | When do we celebrate my birthday? | When do I
        turn a year older? | When do I get older? | When is it my birthday? | When will it be my birthday? | On which
        day is my birthday? | On what day is my birthday? | In what month is my birthday? | In which month is my
        birthday? | In what month was I born? | Which month was I born in? | What month was I born in? | Which day is
        my birthday? | What day is my birthday? | What date is my birthday? | What is the date of my birthday? |
        What's the date of my birthday? | What is my date of birth? | What's my date of birth? | What is my birth
        month? | What was my birthday? | What's my birthday? | When did I say I was born? | When did I say my birthday
        was? | What did I say about my birthday? | When did I tell you my birthday is? | My birthday is when? | My
        birthday is on? | My birthday, please? | Give me my birthday. | Tell me my birthday. | Tell me the date of my
        birthday. | Can you tell me my birthday? | Can you tell me when my birthday is? | Could you tell me when my
        birthday is? | Please tell me when my birthday is. | You know my birthday, right? | You remember my birthday,
        don't you? | Remind me when my birthday is. | Do you know my birthday? | I forgot my birthday. | Did I tell
        you my birthday? | Have I told you my birthday? | When is the user's birthday?
    corrected
        Actually my birthday is in VV. | No, my birthday is in VV. | Sorry, my birthday is in VV. | My birthday is not
        in WW, it is in VV. | Actually my birthday is on VV. | Actually my birthday is VV. | No, my birthday is on VV.
        | No, my birthday is VV. | Oh, my birthday is in VV. | Wait, my birthday is in VV. | I meant my birthday is in
        VV. | I was wrong, my birthday is in VV. | I made a mistake, my birthday is in VV. | My birthday isn't in WW,
        it's in VV. | My birthday is not WW but VV. | I said WW, but my birthday is in VV. | I wasn't born in WW but
        in VV. | Correction: my birthday is in VV. | Update: my birthday is in VV. | To correct myself, my birthday is
        in VV. | Forget WW, my birthday is in VV. | Sorry, my birthday is on VV. | My birthday is in VV, not in WW.
    clauses
        when my birthday is | when I was born | what month my birthday is in | when I have my birthday | when my
        birthday was | which day my birthday is | which month I was born in | what my birthday is | when I celebrate
        my birthday
    things
        my birthday | the date of my birthday | the month of my birthday | my date of birth | the day of my birthday
    first
        When was my birthday at first? | When did I first say my birthday is? | What did I first say my birthday was?
        | What was my birthday before I changed it? | When was my birthday originally? | What was my birthday at
        first? | When was my birthday before?
    replies
        Your birthday is VV. | Noted, your birthday is VV. | Okay, your birthday is VV. | I don't know your birthday
        yet. | At first your birthday was VV.
    """,
    near=("age", "self"),
)

AGE = family(
    "age",
    """
    told
        I am VV years old. | I'm VV years old. | My age is VV. | I turned VV today. | I just turned VV. | The user is
        VV years old. | I am VV. | I'm VV years of age. | I'm a VV year old. | I turned VV last week. | I turned VV
        this year. | I'm turning VV soon. | My current age is VV. | At the moment I'm VV years old. | I have lived for
        VV years. | VV is my age. | VV years is my age. | I'm already VV years old. | I'm only VV years old. | I'm
        exactly VV years old. | I've just turned VV. | Now I'm VV years old. | I was born VV years ago. | In years I'm
        VV.
    asked
        How old am I? | What is my age? | What's my age? | Do you know how old I am? | Do you remember my age? | Tell
        me how old I am. | How old did I say I am? | How many years old am I? | Am I WW years old? | And how old am I?
        | How old am I now? | How old am I exactly? | How old did I say I was? | How old did I tell you I am? | How
        old would you say I am? | How old have I become? | How many years have I lived? | What age am I? | What age do
        I have? | What age did I tell you? | What was my age? | What is my age again? | What is my current age? | How
        old is the user? | So how old am I? | Can you tell me my age? | Could you tell me how old I am? | Tell me my
        age. | Please tell me my age. | Give me my age. | I'm how old? | My age is? | My age, please? | And my age? |
        Remind me how old I am. | You know how old I am, right? | I forgot how old I am. | I forgot my age. | Did I
        tell you my age? | Have I told you how old I am? | Do you know my age? | Do you remember how old I am? | What
        did I say my age is?
    corrected
        Actually I'm VV years old. | I'm VV years old now. | No, I'm VV years old. | I turned VV. | No, I'm VV. |
        Actually I am VV. | Oh, I'm VV years old. | Wait, I'm VV years old. | I meant I'm VV years old. | I was wrong,
        I'm VV years old. | I made a mistake, I'm VV years old. | I'm not WW, I'm VV years old. | I'm not WW years old
        but VV. | My age is VV now. | My age is not WW, it is VV. | Correction: I'm VV years old. | Sorry, I'm VV
        years old. | I just turned VV. | I had my birthday, I'm VV now. | Update: I'm VV years old. | Now I'm VV years
        old.
    clauses
        how old I am | what my age is | how old I was | what age I am | how many years old I am | how old I am now
    things
        my age | my own age | my current age | the age I have
    replies
        You are VV years old. | Okay, you are VV years old. | Okay, you are VV years old now. | I don't know how old
        you are yet.
    """,
    near=("birthday", "self"),
)
