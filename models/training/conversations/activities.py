"""Families of facts about what one does and where one goes, one fact each. See `notation`."""

from models.training.conversations.notation import family

DRIVES = family(
    "drives",
    """
    told
        I drive a VV. | My car is a VV. | I bought a VV car. | I drive an old VV. | I own a VV car. | The user drives
        a VV. | I go to work in my VV car. | I have a VV in my garage. | I always drive a VV. | I drive my VV to work.
        | My own car is a VV. | The car I drive is a VV. | The car I have is a VV. | I have a VV as a car. | I have a
        car, a VV. | I have a car and it's a VV. | I got a VV as my car. | I own a VV. | I drive around in a VV. | I'm
        driving a VV. | I'm the driver of a VV. | My car is an old VV. | My car is a red VV. | VV is the car I drive.
        | VV is my car. | We drive a VV. | We have a VV in the garage. | The user's car is a VV. | My vehicle is a VV.
        | I get around in a VV. | I go everywhere in my VV car.
    asked
        What car do I drive? | What do I drive? | What kind of car do I have? | Which car do I drive? | Do you
        remember what car I drive? | What car do I have? | Tell me what I drive. | What type of car do I own? | Do I
        drive a WW? | What did I say I drive? | What's my car? | What is my car? | Which car do I have? | Which car is
        mine? | Which car do I own? | What car is mine? | What car do I own? | What make is my car? | What kind of car
        do I drive? | What kind of car is mine? | What type of car do I drive? | What type of car do I have? | What am
        I driving? | What vehicle do I drive? | What vehicle do I have? | What do we drive? | What did I say about my
        car? | What car did I buy? | What car did I say I drive? | Which car did I say I have? | What is in my garage?
        | Do you know what I drive? | Do you know my car? | Do you remember my car? | Tell me my car. | Tell me what
        car I drive. | Can you tell me what I drive? | Could you tell me what car I have? | And what do I drive? | And
        my car? | My car is a? | My car, please? | Remind me what I drive. | I forgot what I drive. | Did I tell you
        what I drive? | Have I told you what car I drive?
    corrected
        Actually I drive a VV. | I drive a VV now. | I bought a new car, a VV. | No, I drive a VV. | My new car is a
        VV. | No, my car is a VV. | Actually my car is a VV. | My car is a VV now. | My car is now a VV. | I sold the
        WW and bought a VV. | I sold my WW, I drive a VV now. | I don't drive a WW, I drive a VV. | I don't drive a WW
        anymore but a VV. | My car is not a WW, it is a VV. | I have a new car, a VV. | I got a new car, it's a VV. |
        Now I drive a VV. | Sorry, I drive a VV. | Correction: I drive a VV. | I meant I drive a VV. | I changed cars,
        I drive a VV now. | Wait, I drive a VV. | Update: I drive a VV.
    clauses
        what I drive | what car I drive | which car I have | what kind of car I drive | what my car is | which car I
        drive | what car I have | what kind of car I have
    things
        my car | the car I drive | the car I have
    replies
        You drive a VV. | Nice, you drive a VV. | Okay, you drive a VV now. | I don't know what you drive yet.
    """,
    near=("plays", "learns"),
)

LEARNS = family(
    "learns",
    """
    told
        I'm learning VV. | I am studying VV. | I study VV. | I started learning VV. | I want to learn VV. | I take
        lessons in VV. | I'm taking a course in VV. | The user is learning VV. | My subject is VV. | I'm studying VV.
        | I'm trying to learn VV. | I'm learning some VV. | I'm learning VV at school. | I'm learning VV on my own. |
        I've been learning VV for a year. | I've started to learn VV. | I began to learn VV. | I'm having lessons in
        VV. | I have lessons in VV. | I'm in a VV class. | I take a class in VV. | I'm taking lessons in VV. | I'm
        taking VV lessons. | I'm a student of VV. | I'm at university for VV. | At school I learn VV. | At university
        I study VV. | My studies are in VV. | My field of study is VV. | My course is VV. | VV is what I study. | VV
        is what I'm learning. | VV is my subject. | I read books to learn VV. | I spend my evenings learning VV. | I
        want to get better at VV, so I'm learning it. | My new project is learning VV.
    asked
        What am I learning? | What am I studying? | What do I study? | Do you remember what I'm learning? | What did I
        say I'm learning? | Tell me what I study. | Which language am I learning? | What language am I learning? | Do
        you know what I study? | What have I been learning? | What did I start to learn? | What did I begin to learn?
        | What do I want to learn? | What do I learn? | What is my subject? | What's my subject? | What is my field of
        study? | What is my course? | What course am I taking? | Which course am I taking? | Which subject do I study?
        | What subject do I study? | Which subject am I learning? | What lessons do I take? | What am I taking lessons
        in? | What am I trying to learn? | In what do I take lessons? | What did I tell you I'm learning? | What did I
        say I study? | What did I say about my studies? | Do you know what I'm learning? | Do you remember what I
        study? | Tell me what I'm learning. | Can you tell me what I'm learning? | Could you tell me what I study? |
        So what am I learning? | And what am I learning? | I'm learning what? | Remind me what I'm learning. | I
        forgot what I'm learning. | Am I learning WW? | Did I tell you what I'm learning? | Have I told you what I
        study?
    corrected
        Actually I'm learning VV. | I'm learning VV now. | No, I'm studying VV. | Now I study VV. | Actually I study
        VV. | Actually I'm studying VV. | No, I'm learning VV. | No, I study VV. | I'm not learning WW, I'm learning
        VV. | I don't study WW anymore, I study VV. | I stopped WW, now I'm learning VV. | I gave up WW, I'm learning
        VV now. | I changed my subject to VV. | I switched to VV, that is what I study. | Now I'm learning VV. | From
        now on I'm learning VV. | Sorry, I'm learning VV. | Wait, I'm learning VV. | I meant I'm learning VV. |
        Correction: I'm learning VV. | Update: I'm learning VV. | My new subject is VV.
    clauses
        what I'm learning | what I am learning | what I study | what I am studying | what my subject is | which
        language I'm learning | what I want to learn | what I take lessons in
    things
        my subject | the subject I study | my field of study
    replies
        You are learning VV. | Great, you are learning VV. | Okay, you are learning VV now. | I don't know what you
        are learning yet.
    """,
    near=("job", "plays"),
)

PLAYS = family(
    "plays",
    """
    told
        I play the VV. | I play VV. | I like to play VV. | I can play the VV. | I play VV every week. | The user plays
        VV. | I'm learning to play the VV. | I play VV in my free time. | I've been playing VV for years. | I play VV
        on Sundays. | I play VV in a club. | I play VV with friends. | I often play VV. | I love playing VV. | I love
        to play VV. | I really enjoy playing VV. | I started to play VV. | I started playing VV. | I'm a VV player. |
        I used to hate it, but I play VV. | I'm good at playing VV. | I can play VV. | I know how to play VV. | I
        practise VV every day. | I practise the VV. | What I play is VV. | VV is what I play. | VV is my sport. | VV
        is my instrument. | My sport is VV. | My instrument is the VV. | My instrument is VV. | On weekends I play VV.
        | For fun I play VV. | After work I play VV. | We play VV together.
    asked
        What do I play? | What instrument do I play? | Which sport do I play? | Do you remember what I play? | What
        did I say I play? | Tell me what I play. | Do I play WW? | What sport do I play? | Which instrument do I play?
        | What can I play? | What do I like to play? | What do I love to play? | What do I often play? | What do I
        practise? | What do I practise every day? | What do I play for fun? | What do I play every week? | What do I
        play with my friends? | What instrument can I play? | What instrument do I practise? | Which instrument can I
        play? | Which game do I play? | What is my sport? | What's my sport? | What is my instrument? | What's my
        instrument? | What have I been playing? | What did I start to play? | What did I tell you I play? | What did I
        say about what I play? | Do you know what I play? | Tell me which sport I play. | Can you tell me what I play?
        | Could you tell me what I play? | So what do I play? | And what do I play? | I play what? | Remind me what I
        play. | I forgot what I play. | Did I tell you what I play? | Have I told you what I play?
    corrected
        Actually I play VV. | I play VV now. | No, I play VV. | Actually I play the VV. | No, I play the VV. | I don't
        play WW, I play VV. | I don't play WW anymore, I play VV. | I stopped playing WW, I play VV now. | I gave up
        WW, now I play VV. | I used to play WW, now I play VV. | I switched to VV, that is what I play. | Now I play
        VV. | From now on I play VV. | Sorry, I play VV. | Wait, I play VV. | I meant I play VV. | Correction: I play
        VV. | Update: I play VV. | I'm playing VV now.
    clauses
        what I play | which sport I play | which instrument I play | what I can play | what instrument I play | what
        sport I play | what I like to play
    things
        my sport | my instrument | the sport I play | the instrument I play
    replies
        You play VV. | Cool, you play VV. | Okay, you play VV now. | I don't know what you play yet.
    """,
    near=("learns", "job"),
)

ALLERGY = family(
    "allergy",
    """
    told
        I'm allergic to VV. | I am allergic to VV. | I have an allergy to VV. | I can't eat VV, I'm allergic. | The
        user is allergic to VV. | My allergy is VV. | I get ill from VV. | I have a VV allergy. | I've got an allergy
        to VV. | I've got a VV allergy. | I suffer from an allergy to VV. | I'm very allergic to VV. | I'm badly
        allergic to VV. | I react badly to VV. | I can't have VV, I'm allergic. | I can't stand VV, I'm allergic to
        it. | I must not eat VV. | I must avoid VV, I'm allergic. | I'm not allowed to eat VV. | I don't eat VV
        because I'm allergic. | VV makes me ill. | VV makes me sick. | VV gives me an allergy. | VV is what I'm
        allergic to. | Since I was a child I'm allergic to VV. | My body can't take VV. | I should not eat VV. | My
        doctor says I'm allergic to VV.
    asked
        What am I allergic to? | Do you remember my allergy? | What is my allergy? | What can't I eat? | Do you know
        what I'm allergic to? | Am I allergic to WW? | What did I say I'm allergic to? | Do I have an allergy? | Am I
        allergic to anything? | What am I not allowed to eat? | What must I not eat? | What should I not eat? | What
        should I avoid? | What must I avoid? | What makes me ill? | What makes me sick? | What do I react to? | What's
        my allergy? | Which allergy do I have? | What allergy do I have? | What kind of allergy do I have? | What
        allergies do I have? | What are my allergies? | Do I have any allergies? | Is there something I'm allergic to?
        | Which food am I allergic to? | What did I say about my allergy? | What did I tell you I'm allergic to? |
        What did I say I can't eat? | Do you know my allergy? | Do you remember what I'm allergic to? | Tell me my
        allergy. | Tell me what I'm allergic to. | Can you tell me what I'm allergic to? | Could you tell me my
        allergy? | And what am I allergic to? | And my allergy? | I'm allergic to? | Remind me what I'm allergic to. |
        I forgot what I'm allergic to. | Did I tell you what I'm allergic to? | Have I told you my allergy?
    corrected
        Actually I'm allergic to VV. | No, I'm allergic to VV. | I'm not allergic to WW but to VV. | No, my allergy is
        VV. | Actually my allergy is VV. | I'm not allergic to WW, I'm allergic to VV. | It's not WW but VV I'm
        allergic to. | I said WW, but I'm allergic to VV. | My allergy is not WW, it is VV. | Oh, I'm allergic to VV.
        | Wait, I'm allergic to VV. | Sorry, I'm allergic to VV. | I meant I'm allergic to VV. | I was wrong, I'm
        allergic to VV. | Correction: I'm allergic to VV. | Update: I'm allergic to VV. | I'm now allergic to VV. |
        I'm allergic to VV now.
    clauses
        what I'm allergic to | what I am allergic to | what my allergy is | what I can't eat | which allergy I have |
        what I must not eat | what I should avoid
    things
        my allergy | my allergies | the thing I'm allergic to
    replies
        You are allergic to VV. | Noted, you are allergic to VV. | Okay, you are allergic to VV. | I don't know your
        allergies yet.
    """,
    near=("plays", "age"),
)

DESTINATION = family(
    "destination",
    """
    told
        I'm going to VV next week. | I'm going on holiday to VV. | I'm travelling to VV. | We are going to VV this
        summer. | I'm flying to VV tomorrow. | I booked a trip to VV. | My next trip is to VV. | The user is
        travelling to VV. | I will visit VV soon. | I'm going to VV. | I'm going to VV this year. | I'm going to VV
        next month. | I'm going to travel to VV. | I'm going to fly to VV. | I'm going away to VV. | I'm off to VV
        next week. | I'm off to VV soon. | I'm about to travel to VV. | I'm about to leave for VV. | I'm leaving for
        VV. | I'm leaving for VV tomorrow. | I'm flying to VV. | I'm driving to VV next week. | I'm taking a trip to
        VV. | I'm making a trip to VV. | I'm planning a trip to VV. | I'm on my way to VV. | I plan to travel to VV. |
        I plan to go to VV. | I will travel to VV. | I will go to VV. | I'll be in VV next week. | I'll go to VV on
        holiday. | I have a flight to VV. | I have a ticket to VV. | I have booked a flight to VV. | I booked a flight
        to VV. | I booked a holiday in VV. | We are travelling to VV. | We are flying to VV. | We will go to VV. | Our
        next holiday is in VV. | My next holiday is in VV. | My holiday is in VV. | My trip goes to VV. | My
        destination is VV. | VV is my next destination. | VV is where I'm going. | VV is where I'm going next. | The
        next place I visit is VV. | Next week I travel to VV. | Next month I'm in VV. | Soon I'm going to VV.
    asked
        Where am I going? | Where am I going on holiday? | Where am I travelling to? | Where is my next trip? | Where
        do I fly? | Do you remember where I'm going? | Where did I say I'm going? | Which place will I visit? | Am I
        going to WW? | Where am I flying to? | Where am I going next? | Where am I going next week? | Where am I going
        to travel? | Where am I going to go? | Where am I off to? | Where am I headed? | Where do I travel? | Where do
        I want to go? | Where do I go on holiday? | Where do we go on holiday? | Where are we going? | Where are we
        travelling to? | Where will I go? | Where will I travel? | Where will I be next week? | Where does my trip go?
        | Where is my trip? | Where is my holiday? | Where is my next holiday? | Where did I book a trip to? | Where
        did I book a flight to? | Where did I plan to go? | What is my destination? | What's my destination? | What is
        my next destination? | Which place am I going to? | Which place do I visit next? | Which city am I going to? |
        What place will I visit? | To which place do I travel? | To where am I flying? | What did I say about my trip?
        | Where did I say I'm travelling? | Where did I tell you I'm going? | Do you know where I'm going? | Tell me
        where I'm going. | Can you tell me where I'm going? | Could you tell me where I'm travelling to? | And where
        am I going? | So where am I going? | Remind me where I'm going. | I forgot where I'm going. | Did I tell you
        where I'm going? | Have I told you where I'm going?
    corrected
        Actually I'm going to VV. | No, I'm going to VV. | I changed my plans, I'm going to VV. | I'm going to VV
        instead. | Actually I'm travelling to VV. | No, I'm travelling to VV. | No, I'm flying to VV. | I'm not going
        to WW, I'm going to VV. | I'm not going to WW but to VV. | I'm going to VV, not to WW. | My trip to WW is off,
        I'm going to VV. | I changed my mind, I'm going to VV. | I changed my trip, I'm going to VV now. | The plan
        changed, I'm going to VV. | My plans changed, I'm going to VV. | My new destination is VV. | My destination is
        VV now. | Now I'm going to VV. | Instead I'm going to VV. | Instead of WW I'm going to VV. | Sorry, I'm going
        to VV. | Oh, I'm going to VV. | Wait, I'm going to VV. | I meant I'm going to VV. | Correction: I'm going to
        VV. | Update: I'm going to VV.
    clauses
        where I'm going | where I am going | where I'm travelling to | where my trip goes | where I'm going on holiday
        | which place I will visit | where I will go | what my destination is | where I'm flying to | where I'm going
        next
    things
        my destination | the place I'm going to | the place I will visit | my next destination
    replies
        You are going to VV. | Lovely, you are going to VV. | Okay, you are going to VV. | I don't know where you are
        going yet.
    """,
    near=("lives", "origin"),
)
