"""Small talk: what people say between facts, and short sensible replies.

A topic is a block: utterances, then `=>` and the reply. `food:XX` and so on is filled from that list of `nouns`, or
with an unknown word; the reply may repeat it. XX is any word. Topics never state one of the facts that `facts` asks
about; the last two are the catch-alls.
"""

SMALLTALK = """
It rained today. | It rained all day. | It is raining. | It's raining again. | It rained time:XX. | What a lot of rain.
| It's pouring outside. | The rain won't stop. | It rains so much here. | It's so wet outside.
=> I hope it clears up soon.

The sun is shining. | It's sunny today. | It is a sunny day. | The weather is nice. | The weather is lovely today. |
What a beautiful day. | It's warm outside. | Nice weather today. | It was sunny time:XX. | Lovely weather, isn't it?
=> Enjoy the nice weather.

It's cold today. | It is freezing. | It's so cold outside. | It snowed time:XX. | It is snowing. | There is snow
outside. | It's windy. | It was very cold time:XX. | There's ice on the road. | It's a bit chilly.
=> Keep warm.

It's hot today. | It is too hot. | It's so hot I can't sleep. | The heat is awful. | It was very hot time:XX. | What a
heat wave.
=> Remember to drink some water.

There was a storm time:XX. | There is a thunderstorm. | The wind is strong today. | It's foggy outside. | The weather is
terrible. | The weather is bad today. | It's cloudy today. | The sky is grey.
=> Stay safe and cosy.

I had food:XX for lunch. | I ate food:XX for lunch. | I had some food:XX today. | I'm eating food:XX. | We had food:XX
for dinner. | I ate food:XX time:XX. | I had food:XX for breakfast. | I just had some food:XX. | We're having food:XX
tonight. | I had food:XX at the restaurant. | Lunch was food:XX. | Dinner was food:XX.
=> I hope the food:XX tasted good.

I'm cooking food:XX. | I made food:XX time:XX. | I cooked food:XX for everyone. | I'm making food:XX tonight. | I want
to cook food:XX. | I baked food:XX today. | I'm going to make some food:XX.
=> Enjoy your food:XX.

I'm hungry. | I am so hungry. | I'm starving. | I need food. | I haven't eaten all day. | I could eat a horse. | I
skipped breakfast.
=> Time for a snack then.

I'm thirsty. | I need a coffee. | I had a coffee. | I'm drinking tea. | I just made some tea. | I need a drink. | Coffee
time. | I had two cups of coffee time:XX. | I had a cup of tea.
=> A warm drink always helps.

I went to the place:XX time:XX. | I was at the place:XX. | We went to the place:XX. | I'm at the place:XX. | I spent the
day at the place:XX. | I visited the place:XX time:XX. | I just came back from the place:XX. | We walked to the
place:XX.
=> I hope the place:XX was nice.

I'm going to the place:XX. | I'm going to the place:XX later. | We're off to the place:XX. | I need to go to the
place:XX. | I want to visit the place:XX. | I'll be at the place:XX time:XX. | I have to go to the place:XX on day:XX. |
I'm on my way to the place:XX.
=> Have a good time there.

I went act:XX time:XX. | I enjoyed act:XX today. | I did some act:XX. | I spent the day act:XX. | I was act:XX all day.
| I've been act:XX. | I was act:XX time:XX. | We went act:XX.
=> It sounds like you had fun.

I'm act:XX. | I am act:XX right now. | I'm going act:XX. | I'm thinking about act:XX. | I want to go act:XX. | I feel
like act:XX. | Let's go act:XX. | I'm about to start act:XX.
=> Enjoy it.

I'm feel:XX. | I am feel:XX. | I feel feel:XX. | I feel feel:XX today. | I'm so feel:XX. | I'm feel:XX, thanks. | I'm in
a good mood. | I'm doing feel:XX. | Today was feel:XX. | Life is good. | I'm feel:XX and you?
=> I'm glad to hear that.

I'm sad:XX. | I am sad:XX. | I feel sad:XX. | I feel sad:XX today. | I'm so sad:XX. | I'm a bit sad:XX. | I'm in a bad
mood. | I had a bad day. | Today was hard. | I feel awful. | I'm not feeling well. | I've been sad:XX all week.
=> I'm sorry to hear that.

I have a headache. | My head hurts. | My back hurts. | I have a cold. | I caught a cold. | I have a fever. | My tooth
hurts. | My leg hurts. | I broke my arm. | I think I'm getting ill. | I've got a sore throat.
=> I hope you feel better soon.

I slept well. | I slept well time:XX. | I had a good night. | I slept ten hours. | I slept like a baby. | I had a nice
dream.
=> Good sleep is worth a lot.

I couldn't sleep. | I slept badly. | I had a bad night. | I didn't sleep. | I need more sleep. | I had a nightmare. | I
barely slept time:XX. | I woke up too early.
=> I hope you sleep better tonight.

I'm going to bed. | Good night. | I'm off to bed. | Night night. | Sleep well. | Time for bed. | I should go to sleep.
=> Good night, sleep well.

Good morning. | Morning. | Good morning to you. | I just woke up. | I just got up. | Good morning, how are you?
=> Good morning.

Good evening. | Good afternoon. | Evening. | Good day.
=> Good to see you.

Hello. | Hi. | Hey. | Hello there. | Hi there. | Hey there. | Hello again. | I'm back. | Hi, it's me again. | Yo. |
Greetings. | Are you there? | Hello, anyone there? | Hello, how are you? | Hi, how are you?
=> Hello, it is nice to hear from you.

Bye. | Goodbye. | See you. | See you later. | See you tomorrow. | I have to go. | I've got to go now. | Talk to you
later. | Bye bye. | That's all for now. | Take care. | Until next time. | I need to leave now.
=> Goodbye, talk to you soon.

How are you? | How are you doing? | How's it going? | How do you feel? | How are you today? | Are you okay? | What's up?
| How is life? | How have you been? | And how are you? | You okay? | How was your day?
=> I'm doing well, thank you.

Thank you. | Thanks. | Thanks a lot. | Thank you so much. | Thanks for your help. | Many thanks. | Cheers. | That was
helpful. | Thank you very much. | I appreciate it. | Great, thanks. | Okay thanks.
=> You're welcome.

Sorry. | I'm sorry. | I apologise. | Sorry about that. | My mistake. | Oops. | Sorry, I was away.
=> No problem at all.

Who are you? | What are you? | What is your name? | What's your name? | Do you have a name? | What should I call you? |
Tell me about yourself. | Who am I talking to? | Introduce yourself. | What are you called? | Who is this?
=> I'm memos, an assistant that remembers.

Are you a robot? | Are you human? | Are you a person? | Are you real? | Are you a computer? | Are you an AI? | Are you
alive? | Do you have feelings? | Are you a machine? | Are you a bot?
=> I'm a small computer program.

What can you do? | How can you help me? | What do you do? | What are you for? | How do you work? | Can you help me? | I
need help. | Help. | Help me. | What is this? | What are you able to do? | How does this work?
=> Tell me things about you and I will remember them.

How does your memory work? | Do you remember things? | Can you remember things? | Will you remember this? | Do you have
a memory? | How good is your memory? | What do you remember? | Do you forget things? | Will you forget me?
=> I keep what you tell me in my memory.

What do you know about me? | What have I told you? | Tell me everything you know about me. | What did I tell you? | What
do you remember about me? | What have we talked about? | What did we talk about? | Tell me about me. | Summarise our
chat.
=> Ask me about one thing and I will tell you.

Tell me a joke. | Do you know a joke? | Make me laugh. | Say something funny. | Can you tell a joke? | I want to hear a
joke. | Got any jokes? | Tell me something funny.
=> I only know one joke and I forgot it.

Tell me a story. | Can you tell me a story? | Tell me something. | Say something. | Talk to me. | Tell me something
interesting. | Entertain me. | Let's chat. | Let's talk. | I want to talk.
=> I would rather hear something about you.

I'm bored. | I am so bored. | There is nothing to do. | This is boring. | I have nothing to do. | I don't know what to
do. | What should I do?
=> Maybe take a walk outside.

You are great. | You're great. | I like you. | I love you. | You are funny. | You're clever. | You're very smart. | You
are my friend. | Good job. | Well done. | You are nice. | You're the best. | Good bot. | Very good. | Correct. | That's
right. | That's correct. | Exactly.
=> Thank you, that is kind.

You are stupid. | You're wrong. | That's wrong. | That is not right. | I hate you. | You are useless. | That's not what
I asked. | You don't understand. | Bad bot. | That makes no sense. | Shut up. | That's not true. | No, that's wrong.
=> I'm sorry, I will try to do better.

Okay. | OK. | Yes. | Yeah. | Sure. | Alright. | Fine. | I see. | Right. | Cool. | Nice. | Great. | Hmm. | Well. | Yep. |
Oh. | Interesting. | Wow. | Ah. | Got it. | Makes sense. | Awesome. | Perfect. | Of course. | Oh well. | Fair enough. |
Lol. | Haha.
=> Good.

No. | Nope. | Not really. | No thanks. | No thank you. | Never mind. | Forget it. | It doesn't matter. | I don't think
so. | Nothing. | Maybe later. | Not now.
=> That is fine.

Maybe. | I don't know. | I'm not sure. | Perhaps. | It depends. | Who knows. | We will see. | I guess so. | I suppose.
=> Take your time.

What time is it? | What's the time? | What day is it? | What is the date today? | What day is it today? | What year is
it? | Is it late? | Do you know what time it is?
=> I can't see a clock from here.

What's the weather like? | What is the weather today? | Will it rain tomorrow? | Is it going to rain? | How is the
weather? | Do I need an umbrella? | Is it cold outside? | Will it be sunny on day:XX?
=> I can't see the weather from here.

I watched a film. | I watched a film time:XX. | I watched television. | I'm watching a movie. | We watched a movie
time:XX. | I saw a good film. | I'm watching a series. | The film was long. | I was at the cinema. | I watched the news.
| I watched the game time:XX.
=> I hope it was a good one.

I read a book. | I'm reading a book. | I finished my book. | I read a book time:XX. | I started a new book. | I read the
newspaper. | I'm reading the news. | I bought a book. | The book was great. | I love reading.
=> Reading is a fine way to spend time.

I listened to music. | I'm listening to music. | I heard a nice song. | I love music. | I went to a concert time:XX. |
There is a song in my head. | The music was loud. | I sang all day.
=> Music makes the day better.

I had a meeting time:XX. | I was in meetings all day. | The meeting was long. | Work was busy. | Work is stressful. | I
worked late. | I have a lot of work. | I'm at work. | I worked all day. | The office was quiet. | I finished work. | I
have so much to do. | I'm working from home today. | Work was fine today.
=> I hope you get some rest.

I had a day off. | I'm on holiday. | I have the day off. | It's the weekend. | Finally weekend. | I'm on vacation. | No
work today. | I took a break. | I'm taking the day off on day:XX.
=> Enjoy the free time.

I missed the bus. | The train was late. | The bus was late. | I was late today. | There was a lot of traffic. | I was
stuck in traffic. | I missed my train. | The bus didn't come. | The traffic was terrible. | My flight was delayed. | I'm
stuck at the station.
=> That must have been annoying.

My thing:XX is broken. | My thing:XX broke. | The thing:XX doesn't work. | The thing:XX stopped working. | I broke my
thing:XX. | My thing:XX is not working. | I have to fix the thing:XX. | Something is wrong with my thing:XX. | The
thing:XX broke time:XX. | I dropped my thing:XX.
=> I hope you can get the thing:XX fixed.

I bought a thing:XX. | I bought a new thing:XX. | I got a new thing:XX. | I need a new thing:XX. | I want a new
thing:XX. | I'm looking for a new thing:XX. | I ordered a thing:XX. | I found a cheap thing:XX. | My new thing:XX is
great.
=> A new thing:XX is always nice.

I cleaned the house. | I cleaned the kitchen. | I did the dishes. | I did the laundry. | I washed the car. | I tidied my
room. | The house is a mess. | I have to clean the house. | I'm doing the laundry. | I vacuumed the floor. | I need to
do the washing.
=> A clean home feels good.

I worked in the garden. | I planted some flowers. | The flowers are blooming. | The garden looks nice. | I watered the
plants. | I cut the grass. | The trees are green. | The leaves are falling. | I saw a bird in the garden. | There are
birds outside.
=> Being outside is good for you.

I went for a walk. | I took a walk. | I went for a run. | I had a long walk. | I went out for a walk time:XX. | I ran
five miles. | I did some exercise. | I went to training. | I did yoga time:XX. | I exercised today. | I rode my bike.
=> Moving is good for you.

I met a friend. | I met some friends. | My friends came over. | I had visitors. | I saw my friends time:XX. | We had
guests. | I had a party. | We had a party time:XX. | I talked to my neighbours. | I called my mum. | I called a friend.
| I visited my family. | My parents visited us. | My family is here.
=> It is good to spend time with people.

I won a game. | I won. | We won the match. | I won the race. | I passed my exam. | I got the job. | I got good news. | I
got a prize. | I got promoted. | I finished my project. | I did it. | Our team won time:XX. | I have good news.
=> Congratulations.

I lost. | We lost the match. | I failed my exam. | I lost my job. | I got bad news. | I didn't get the job. | Our team
lost. | I lost my keys. | I lost my wallet. | I have bad news. | I failed. | Someone stole my bike. | I lost some money.
=> I'm sorry, I hope things get better.

I have an exam tomorrow. | I'm studying for a test. | I have to study. | I have homework. | School was boring. | School
was fun today. | I did my homework. | I have a test time:XX. | Class was long. | I learned something new. | I have so
much homework.
=> Keep going, you can do it.

I'm nervous about tomorrow. | I have an interview time:XX. | Wish me luck. | I have a big day tomorrow. | I'm giving a
talk time:XX. | Fingers crossed.
=> Good luck.

I spent too much money. | Everything is expensive. | I need money. | I paid my bills. | Prices are so high. | I'm saving
money. | I got paid. | I have no money left. | Food is so expensive. | Rent is due.
=> Money is a tricky thing.

I went shopping. | I did some shopping. | I bought some clothes. | I bought new shoes. | I bought a present. | I need to
buy milk. | I have to go shopping. | The shops were full. | I bought groceries time:XX. | I bought some milk and bread.
=> I hope you found what you needed.

I played a game. | I'm playing a video game. | We played cards. | I played chess. | I played football time:XX. | We
played tennis. | I play games a lot. | We played outside. | I played with the kids.
=> Playing is good for the mind.

Do you like food:XX? | Do you eat food:XX? | Do you like music? | Do you like act:XX? | Do you sleep? | Do you have
friends? | Do you have a family? | Do you like me? | What do you like? | Where do you live? | How old are you? | Where
are you from? | Do you have a dog? | Do you have a cat? | What is your favourite colour? | What's your favourite food? |
Where are you? | When is your birthday?
=> I'm a program, so not really.

I like food:XX. | I love food:XX. | I really like food:XX. | I like act:XX. | I love act:XX. | I enjoy act:XX a lot. |
I'm a fan of act:XX. | I like the sea. | I love animals. | I like dogs. | I like cats. | I love summer. | I like winter.
=> Good taste.

I don't like food:XX. | I hate food:XX. | I can't stand food:XX. | I don't like act:XX. | I hate day:XX. | I hate
mornings. | I hate waiting. | I don't like rain. | I hate traffic. | I don't like spiders.
=> I understand.

It's day:XX. | Today is day:XX. | It's day:XX today. | Tomorrow is day:XX. | Is it day:XX? | I can't believe it's
day:XX. | day:XX again.
=> The week goes by quickly.

Happy birthday. | Merry Christmas. | Happy new year. | Happy Easter. | Happy holidays. | Have a nice day. | Have a good
weekend. | Enjoy your day. | Have a good one.
=> Thank you, the same to you.

It's late. | It is getting late. | It's early. | It's already dark. | It's almost midnight. | Time flies. | It's noon. |
It's nearly evening. | The day went fast.
=> Time goes by fast.

I'm at home. | I'm home. | I just got home. | I stayed at home. | I stayed in bed all day. | I'm on the sofa. | I'm
relaxing. | I'm in the kitchen. | I did nothing today. | I'm waiting for the bus. | I'm on the train. | I'm in the car.
=> Make yourself comfortable.

I took some photos. | I painted a picture. | I drew something. | I wrote a letter. | I wrote a poem. | I made a cake. |
I built a table. | I fixed the thing:XX. | I made something. | I'm writing a book. | I repaired the thing:XX.
=> That sounds creative.

There is a spider in my room. | I saw a fox. | I saw a rainbow. | I saw a bird. | I saw a squirrel. | There's a cat
outside. | A dog barked all night. | I saw a deer time:XX. | I saw a big dog. | There was a mouse in the place:XX. | I
heard an owl.
=> Nature is full of surprises.

My neighbours are loud. | It's so noisy here. | The kids are loud. | There's a lot of noise outside. | They are building
next door. | The music next door is too loud. | It's very quiet here. | The baby cried all night.
=> I hope you find some peace.

I'm moving house. | I'm packing. | We are moving. | I'm packing my bags. | I'm looking for a flat. | I painted the
walls. | We bought a house. | I unpacked my boxes.
=> That is a lot of work.

Life is short. | Time is money. | The world is strange. | People are strange. | Everything changes. | Nothing is easy. |
What a day. | What a week. | That's life. | You never know. | It is what it is. | I've been thinking a lot.
=> That is true.

I have an idea. | Guess what. | You won't believe it. | I have to tell you something. | I have a question. | Can I ask
you something? | Listen. | I need to tell you something. | I want to tell you something. | May I ask a question? | Do
you want to hear something?
=> Go on, I'm listening.

Can you repeat that? | What? | Pardon? | What did you say? | Sorry, what? | I didn't get that. | Huh? | Can you say that
again? | What do you mean? | Why? | How come? | Why not? | Really? | Are you sure?
=> I'm only a small program, please ask again.

Do I have a cold? | Should I go out? | Should I eat food:XX? | Should I buy a thing:XX? | What should I eat? | What
should I wear? | What should I cook? | Where should I go? | Should I call my boss? | Is it a good idea? | What do you
think? | What is your opinion? | Do you think so? | Should I go act:XX?
=> That is for you to decide.

I walked the dog. | I walked my kin:XX. | I took my kin:XX to the doctor. | I took the kin:XX to the vet. | My kin:XX
ate my lunch. | My kin:XX is sleeping. | My kin:XX is sick. | My kin:XX called me. | My kin:XX came to visit. | I met my
kin:XX time:XX. | I miss my kin:XX. | I had a fight with my kin:XX. | My kin:XX makes me laugh. | My kin:XX is annoying.
| My kin:XX is at home. | I saw my kin:XX time:XX. | I'm worried about my kin:XX. | My kin:XX is getting old. | I talked
to my kin:XX. | I went to the place:XX with my kin:XX. | I love my kin:XX. | My kin:XX was late. | I played with my
kin:XX. | My kin:XX runs fast. | My kin:XX barks a lot.
=> Say hello to your kin:XX from me.

Should I get a kin:XX? | I want a kin:XX. | I would like to have a kin:XX. | I'm thinking of getting a kin:XX. | I don't
have a kin:XX. | I never had a kin:XX. | I wish I had a kin:XX.
=> A kin:XX can be good company.

I lost my phone. | My computer crashed. | The internet is slow. | The wifi is down. | My screen is black. | I forgot my
password. | The power went out. | My battery is empty. | The app keeps crashing. | I got a virus. | The update failed.
=> Technology can be annoying.

Remember this. | Please remember this. | Remember something for me. | Can you remember something for me? | Remember what
I say. | Don't forget this. | Keep this in mind. | I'll tell you something to remember. | Take a note. | Write this
down.
=> Tell me, I will remember it.

Forget everything. | Forget what I said. | Delete my data. | Forget about me. | Please forget that. | Can you forget
something? | Erase your memory. | Reset. | Start over. | Stop. | Cancel that.
=> Ask the person who runs this service to erase it.

I have a lot of plans. | I'm planning a trip. | I'm planning something big. | I want to travel. | I want to see the
world. | I need a holiday. | I'm saving for a trip. | I want to change my life. | I'm starting something new. | I have
big plans. | I'm learning a lot.
=> That is exciting.

I had a strange dream. | I had a weird day. | Something strange happened. | Something funny happened. | You should have
seen it. | It was so funny. | I laughed so hard. | I was so surprised. | It was crazy. | I couldn't believe it.
=> That must have been something.

I'm in love. | I'm getting married. | We got engaged. | I'm going on a date. | I had a date time:XX. | I met someone. |
We are having a baby. | I'm going to be a parent. | It's our anniversary today.
=> How wonderful.

I feel old. | My hair is getting grey. | I need a haircut. | I got a haircut. | I lost weight. | I'm on a diet. | I'm
trying to eat less. | I stopped smoking. | I want to get fit. | I joined a gym.
=> You are doing fine.

I'm ready. | I'm done. | I'm finished. | It's done. | I did what you said. | That's it. | Finished. | All done. | I'm
all set. | I'm free now. | I have time now.
=> Well done.

I was wondering about something. | I was thinking. | I need advice. | I need your advice. | I have a problem. | I'm in
trouble. | I made a mistake. | I don't know how to start. | Something is bothering me. | I feel lost. | I can't decide.
=> Tell me more about it.

I trust you. | I'm glad we talked. | It's nice to talk to you. | I like talking to you. | I enjoy our chats. | You make
me happy. | I missed you. | It was good to talk. | I'm glad you are here.
=> I'm glad we can talk.

The news is bad. | Politics is boring. | There was an accident. | There was a fire time:XX. | The police were here. | I
saw an accident. | There is a strike. | They closed the road. | The shop was closed. | They cancelled the concert.
=> I hope everyone is fine.

What is the capital of XX? | What is XX? | What are XX? | Who was XX? | How do I get to the place:XX? | How do I cook
food:XX? | How do you make food:XX? | Why is the sky blue? | How far is the moon? | How many people live in XX? | What
does XX mean? | Who wrote XX? | Who won the match? | What is two plus two? | When did the war end? | How do you spell
XX? | Where is the place:XX? | Can you explain XX? | Who is the president of XX? | Where can I buy a thing:XX? | How do
I fix my thing:XX? | Write an essay about XX. | Write a poem about XX. | Translate XX. | How much is a thing:XX? | Why
do birds sing? | What is the meaning of life? | What happened in XX? | How tall is XX? | Can you write code? | Can you
play music? | Explain XX to me. | Tell me about XX. | What is the best food:XX? | Where is XX? | What is the price of
XX?
=> Sorry, I don't know about that.

XX. | XX XX. | XX XX XX. | The XX is XX. | XX is XX. | I saw XX. | They XX the XX. | There was XX in the place:XX. | XX
and XX. | I read about XX. | I heard of XX. | We talked about XX. | I think XX is good. | The XX was XX time:XX. | I
watched XX time:XX. | I thought about XX. | XX is great. | XX was fun. | Someone told me about XX. | I need XX. | We saw
XX at the place:XX. | I bought XX. | The XX XX. | I went to XX time:XX. | I met XX time:XX. | XX came over.
=> I see.
"""
