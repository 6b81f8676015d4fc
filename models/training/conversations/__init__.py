"""The synthetic conversations: facts people tell, correct and ask for, lists, other people, and small talk in between.

`python -m models.training.conversations --seed 1 --n 5` prints some. Everything is drawn from a seed while training.

* `notation`, `facts`, `more_facts`, `activities`, `things`, `people`: 25 families of facts, phrasings and replies;
  `families` is all of them. `frames`: what people put around a phrasing. `nouns`, `common`: words. `smalltalk`,
  `more_talk`: 100 topics and their replies.
* `compile`: text to token patterns, and the tokenizer they imply. `plan`: what to draw. `speaker`: says one message.
  `cast`: what a dialogue is about. `dialogue`: its turns. `probes`: the questions put to the state after them.

Notable choices (what is held out, the same for every seed)
* Phrasings: one in six of every family's statements, questions, corrections, clauses and things, and of the frames; one
  in seven utterances of small talk; by the hash of the text. No composed sentence equals a held-out one. Noise (a word
  dropped, replaced or put in) stays away from key and value.
* Words as values: one known word in ten by hash. Unknown words are rows without a spelling; of these the first eighth
  is never trained (`models.training.batch`), and a conversation gives out rows from the first on.
* Keys: `nouns.TEST_KEYS`, and as unknown words all keys whose row is never trained.
* Evaluations draw from the held-out parts with `Plan(plain=True, unseen=True, test_words=True)`; each part by itself
  with its own field. Every probe has a `kind` to be counted by (`plan.Turn`).
"""
