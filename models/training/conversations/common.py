"""Common English words, by what they can stand for in a sentence. They make small talk, fillers and known values."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ADJECTIVES = _words("""
    big small old new young long short tall high low wide narrow fast slow early late hot cold warm cool dry wet
    clean dirty full empty open closed light dark bright loud quiet soft hard heavy strong weak rich poor cheap
    expensive free busy easy difficult simple strange normal special usual rare common real true false right wrong
    safe dangerous clear deep flat round sharp smooth rough sweet sour bitter salty fresh ready alone famous popular
    important serious funny silly clever smart kind friendly polite rude honest brave shy lazy careful quick perfect
    terrible awful lovely beautiful pretty ugly huge tiny little great nice bad red blue green yellow black white
    brown grey pink orange purple golden silver wooden plastic modern ancient local foreign private public secret
    next last only whole
""")
NOUNS = _words("""
    house room wall floor corner key box cup plate bottle glass knife spoon bowl basket paper pen pencil letter page
    story news picture photo map sign word name number list question answer idea problem reason plan game ball toy
    doll card ring coin money price bill gift present party music song dance voice noise sound colour shape line
    circle square star moon sun sky cloud wind rain snow storm fire water ice stone rock sand mountain hill valley
    island beach sea ocean wave boat ship plane train road street bridge tower gate farm field grass tree leaf root
    flower seed wood forest animal wolf bear fox lion tiger elephant monkey whale shark owl eagle bee ant butterfly
    frog sheep horse apple banana lemon orange cherry grape melon onion carrot tomato pepper garlic corn bean rice
    butter honey sugar salt oil milk tea coffee juice wine beer lunch dinner breakfast meal kitchen head face eye
    ear nose mouth hand arm leg foot back heart hair skin blood bone body mind life world country city town village
    people man woman boy girl baby king queen prince soldier sailor farmer driver pilot nurse cook baker painter
    singer writer judge police hero morning evening night week month year hour minute moment summer winter spring
    autumn weather dream sleep work job school class lesson test book desk chair bed lamp candle mirror clock bell
    door window roof garden fence path hat coat shirt dress sock boot glove scarf belt button pocket bag blanket
    pillow towel soap brush comb thread needle hammer nail rope ladder engine wheel bike truck bus ticket station
    airport hotel shop market bank office museum church castle palace prison hospital library theatre film camera
    radio phone screen robot machine battery wire light
""")
DOINGS = _words("""
    left arrived started stopped waited slept laughed cried smiled jumped ran walked fell sat stood danced sang
    worked played cooked cleaned read wrote drew painted talked listened called shouted whispered travelled moved
    stayed returned disappeared appeared changed grew broke burned melted froze flew swam drove rode won lost
    finished failed helped tried forgot remembered knew agreed complained celebrated
""")
VERBS = _words("""
    see find take bring buy sell make build break fix clean open close move hold carry push pull throw catch keep
    lose use try help like love hate need want know show give send write read draw paint cook eat drink wear wash
    cut choose change finish start stop watch hear touch smell taste remember forget visit meet call ask teach learn
""")
FILLERS = _words("""
    really just maybe perhaps still also too very quite always never often sometimes now then here there today well
    actually simply even only almost probably certainly surely indeed okay please like kind some such
""")
