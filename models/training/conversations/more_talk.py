"""More small talk, in the notation of `smalltalk`: the common words, and further ways to say what is said there.

A block with a reply that `smalltalk` has too adds to that topic.
"""

MORE_TALK = """
The noun:XX is adj:XX. | The noun:XX was adj:XX. | It was a adj:XX noun:XX. | That is a adj:XX noun:XX. | What a adj:XX
noun:XX. | I saw a adj:XX noun:XX. | There was a adj:XX noun:XX. | I like the adj:XX noun:XX. | The adj:XX noun:XX is
over there. | This noun:XX is so adj:XX. | The noun:XX looks adj:XX. | The noun:XX seems adj:XX. | I found a noun:XX
and it was adj:XX. | A noun:XX should be adj:XX. | I never saw such a adj:XX noun:XX. | The noun:XX got adj:XX
time:XX. | Is the noun:XX adj:XX? | Not every noun:XX is adj:XX. | We had a adj:XX noun:XX at home. | I think the
noun:XX is too adj:XX.
=> That is interesting.

I want to verb:XX the noun:XX. | I have to verb:XX a noun:XX. | I need to verb:XX the noun:XX. | I will verb:XX the
noun:XX time:XX. | Let's verb:XX the noun:XX. | I could verb:XX a noun:XX. | I tried to verb:XX the noun:XX. | We
should verb:XX the noun:XX. | Did you verb:XX the noun:XX? | Can you verb:XX a noun:XX? | They verb:XX the noun:XX
every day. | I don't want to verb:XX it. | It is hard to verb:XX a noun:XX. | I forgot to verb:XX the noun:XX. | We
must verb:XX it. | Please verb:XX the noun:XX. | How do I verb:XX a noun:XX? | I used to verb:XX every noun:XX. | I can
verb:XX with one hand.
=> Let me know how it goes.

The man did it. | He did. | She did. | They all did. | The people did:XX. | He did:XX time:XX. | She did:XX. | They
did:XX. | We did:XX. | The noun:XX did:XX. | Everybody did:XX. | Somebody did:XX. | Nobody did:XX. | The adj:XX noun:XX
did:XX. | My friend did:XX. | A stranger did:XX. | The children did:XX in the place:XX. | The woman did:XX and the
man did:XX. | I did:XX and then I did:XX. | She did:XX very early. | He did:XX and it was adj:XX.
=> And what happened then?

My noun:XX is adj:XX today. | I put the noun:XX near the noun:XX. | The noun:XX is under the noun:XX. | There is a
noun:XX behind the door. | I have a noun:XX in my pocket. | Someone took the noun:XX. | There is no noun:XX here. | I
need a noun:XX. | I can't find the noun:XX anywhere. | Where is the noun:XX? | Who has the noun:XX? | Look at this
noun:XX. | I bought a adj:XX noun:XX for my kin:XX. | A noun:XX and a noun:XX would be nice. | I would like a noun:XX
or a noun:XX. | Bring me the noun:XX, please. | I have never had a noun:XX. | The noun:XX costs too much.
=> I can only talk about it.

It takes a lot of time. | That took a long time. | I have been busy lately. | Things are going well. | Everything is
fine. | Nothing special happened. | It was an ordinary day. | Same as always. | I have been busy all week. | Nothing
new. | Not much happened. | The same as every day.
=> Thank you for telling me.

It's raining a lot. | We had rain all week. | It started to rain. | Rain again. | It will rain tomorrow. | The rain is
heavy. | I got wet in the rain. | I forgot my umbrella and got wet. | It hasn't stopped raining. | Still raining. |
Rainy day. | It looks like rain.
=> I hope it clears up soon.

The sun came out. | It's a warm day. | The sky is blue. | It's a lovely day. | Spring is here. | Summer is here. | The
weather is great. | Such nice weather. | The weather is perfect today. | What a nice day. | It's bright outside. | The
sun feels good.
=> Enjoy the nice weather.

I'm eating lunch. | I had a good meal. | I tried food:XX today. | I ate too much food:XX. | I ordered food:XX. | I got
food:XX to go. | There was food:XX on the table. | I had a plate of food:XX. | The food:XX was good. | My lunch was
food:XX. | I finished my food:XX. | I had food:XX and food:XX. | I just ate food:XX. | I had a bowl of food:XX
time:XX.
=> I hope the food:XX tasted good.

I'm preparing food:XX. | I'm baking food:XX. | Tonight I cook food:XX. | I'll make food:XX later. | I'm in the kitchen
making food:XX. | I want to make food:XX for dinner. | There will be food:XX tonight. | I'm learning how to cook
food:XX. | We are making food:XX. | I'm having food:XX soon.
=> Enjoy your food:XX.

I came from the place:XX. | I was in the place:XX all day. | I had a nice time at the place:XX. | I took a bus to the
place:XX. | I drove to the place:XX. | I met people at the place:XX. | The place:XX was full. | The place:XX was empty.
| The place:XX was adj:XX. | We were at the place:XX time:XX. | I passed the place:XX. | I waited at the place:XX.
=> I hope the place:XX was nice.

Let's go to the place:XX. | I'm leaving for the place:XX. | I'll go to the place:XX soon. | I'm about to go to the
place:XX. | I plan to visit the place:XX. | We are going to the place:XX. | I might go to the place:XX. | We will be at
the place:XX. | I feel like going to the place:XX.
=> Have a good time there.

I tried act:XX. | We did some act:XX time:XX. | I was out act:XX. | I have been act:XX all day. | I spent time act:XX. |
I had fun act:XX. | I loved act:XX with my kin:XX. | I just finished act:XX. | I did a bit of act:XX. | I went act:XX
with my kin:XX.
=> It sounds like you had fun.

I feel wonderful. | I'm very feel:XX. | I am really feel:XX. | I feel so feel:XX. | I'm feeling feel:XX. | I'm feeling
feel:XX today. | I've never felt better. | I'm having a good day. | It's a good day. | I had a great day. | My day was
good. | I had a wonderful time. | All is well. | I couldn't be happier. | Everything is going well.
=> I'm glad to hear that.

I'm very sad:XX. | I am really sad:XX. | I feel so sad:XX. | I'm feeling sad:XX. | I'm feeling sad:XX today. | I feel
bad. | It's a bad day. | I had a terrible day. | My day was awful. | I cried today. | I'm not happy. | I'm not doing
well. | I feel terrible. | I'm so tired of it. | It was a hard week. | I had a rough day.
=> I'm sorry to hear that.

My stomach hurts. | My knee hurts. | I hurt my hand. | I hurt my foot. | I'm in pain. | I have a cough. | I can't stop
coughing. | I feel sick. | I have the flu. | I need a doctor. | I went to the hospital. | My eyes hurt. | I have a
bad back.
=> I hope you feel better soon.

How are things? | How are you feeling? | How is it going with you? | How's your day? | How is your day going? | How's
everything? | How are you this morning? | Everything okay? | Are you well? | Are you doing well? | How do you do? |
How goes it? | How's life?
=> I'm doing well, thank you.

Hello my friend. | Hi again. | Hey, it's me. | Hello, it's me. | Good to see you. | Nice to see you. | Nice to meet you.
| Welcome back. | Hello hello. | Hi, nice to meet you. | I am here again. | I'm here. | Is anyone there? | Hello you. |
Hey you.
=> Hello, it is nice to hear from you.

Goodbye for now. | See you soon. | I'm leaving. | I must go. | I have to leave. | I'm going now. | Talk soon. | Until
later. | Have to run. | I'm off. | Time to go. | That was all. | See you again. | Bye for now. | I'll be back later. |
I'll talk to you tomorrow.
=> Goodbye, talk to you soon.

Thank you, that's kind. | I thank you. | Thanks for everything. | Thanks for listening. | Thank you for your time. |
Thanks, that helps. | That helps a lot. | That helps, thanks. | You helped me a lot. | You are very kind. | You're a
great help. | Perfect, thank you. | Nice, thanks. | Thanks for remembering.
=> You're welcome.

Okay then. | All right. | Right then. | Understood. | Good. | Very well. | That's fine. | That's good. | That's nice. |
That's great. | That's cool. | Sounds good. | Good to know. | I agree. | No worries. | I know. | True. | Indeed. | Yes
please. | Yes, of course. | Yes, exactly. | Absolutely. | Certainly. | Definitely. | Amazing. | Wonderful. | Lovely. |
Good idea. | Why not. | Not bad.
=> Good.

What can I ask you? | What are you good at? | What do you know? | What should I ask? | How can I use you? | How do I use
you? | What do I do here? | Tell me what you can do. | What is your purpose? | Why are you here? | What is your job? |
What can I do with you?
=> Tell me things about you and I will remember them.

Do you have a good memory? | What's in your memory? | How do you remember things? | How much can you remember? | Do you
remember everything? | Do you remember our conversation? | Can you keep a secret? | Will you remember it? | Do you
save what I say? | Where do you keep my data? | Do you learn from me?
=> I keep what you tell me in my memory.

Say hello. | Say something nice. | Tell me more. | Go on. | Keep talking. | Let's have a chat. | I feel like talking. |
I'm lonely, talk to me. | Let us talk. | Chat with me. | What shall we talk about? | What do you want to talk about?
=> I would rather hear something about you.

I got a present. | I got a gift. | My kin:XX gave me a noun:XX. | I got a noun:XX from my kin:XX. | I found some money.
| I got a letter. | I got a noun:XX as a present. | Someone gave me flowers. | I had a nice surprise.
=> How nice of them.

My flight was late. | The train was late. | The bus was late. | I missed the bus. | I missed my train. | There was a lot
of traffic. | The traffic was terrible. | I was stuck in traffic. | The road was closed. | I had to wait for hours. | I
am running late. | I'm late for work. | The train is full.
=> That must have been tiring.

I learned about noun:XX today. | I read a story about a noun:XX. | I saw a film about a noun:XX. | I watched a show
about a noun:XX. | I had a dream about a noun:XX. | I wrote about a noun:XX. | I heard a song about a noun:XX. | We
talked about the noun:XX. | I thought about the noun:XX all day. | I'm thinking about a noun:XX. | The book is about a
noun:XX.
=> What did you like about it?

Is it adj:XX? | Was it adj:XX? | It was adj:XX. | It is adj:XX. | It's very adj:XX. | That's adj:XX. | That was adj:XX.
| How adj:XX. | So adj:XX. | Too adj:XX. | That sounds adj:XX. | It is getting adj:XX. | It feels adj:XX. | It looks
adj:XX. | It's a bit adj:XX. | That is really adj:XX. | It couldn't be more adj:XX. | adj:XX and adj:XX. | It was adj:XX
and adj:XX.
=> I can imagine that.

She is adj:XX. | He is adj:XX. | They are adj:XX. | He was very adj:XX. | She was so adj:XX. | My kin:XX is adj:XX. | My
kin:XX was adj:XX time:XX. | My kin:XX seems adj:XX. | The kin:XX is very adj:XX. | The neighbours are adj:XX. | People
are adj:XX. | You are adj:XX. | The children are adj:XX. | Everyone is adj:XX today.
=> People can be like that.
"""
