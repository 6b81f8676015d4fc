"""Nouns of the synthetic language: whose facts are told (keys), and what small talk is about (lists).

An underscore joins the words of one noun.
"""

from models.training.conversations.common import ADJECTIVES, DOINGS, NOUNS, VERBS


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


PEOPLE = _words("""
    sister brother mother father mum dad boss friend wife husband son daughter teacher doctor neighbour aunt uncle
    cousin grandma grandpa grandmother grandfather girlfriend boyfriend partner coach dentist colleague roommate
    landlord manager nephew niece assistant therapist tutor flatmate fiance twin child kid best_friend older_sister
    younger_brother little_sister big_brother
""")
ANIMALS = _words("""
    dog cat hamster rabbit horse parrot fish puppy kitten pet turtle snake bird pony goat cow pig chicken duck lizard
    mouse
""")
THINGS = _words("""
    team band school company street village town city boat car bike robot hotel ship blog shop restaurant church club
    university college startup podcast channel book project farm cottage bakery gym hospital tractor guitar plant
    teddy
""")
LIKES = _words("""
    colour food song book movie film sport animal team band drink game season fruit show singer city number flower
    subject dessert actor author holiday month day place restaurant snack vegetable cake country artist cheese writer
    tree tea
""")
PROPERTIES = _words("""
    password username email nickname surname address postcode hometown star sign blood_type shoe_size phone_number
    room_number locker_code door_code eye_colour hair_colour middle_name last_name first_name flight_number
    seat_number hobby goal plan dream religion nationality height weight size budget order_number wifi_password
    account pin gate mother_tongue major position title usual_breakfast native_language
""")
EVENTS = _words("""
    appointment exam wedding interview flight meeting test party holiday deadline concert lesson trip match race
    anniversary graduation surgery checkup dentist_appointment doctor_appointment job_interview driving_test
""")
OBJECTS = _words("""
    keys glasses wallet phone passport umbrella bag charger notebook headphones ticket medicine coat tools
""")
COUNTS = _words("""
    kids children dogs cats brothers sisters siblings cars bikes rabbits plants grandchildren houses books
""")
LIST_NAMES = _words("""
    shopping_list packing_list to-do_list wish_list guest_list reading_list playlist grocery_list bucket_list watch_list
    menu checklist gift_list birthday_list task_list invite_list music_list holiday_list party_list christmas_list
    list_of_names list_of_books list_of_tasks
""")

# Keys that training never sees as keys; the words themselves occur in small talk.
TEST_KEYS = frozenset(_words("aunt bike restaurant singer exam plants glasses last_name birthday_list"))

LISTS: dict[str, tuple[str, ...]] = {
    "food": _words("""
        soup pizza pasta rice salad bread cheese cake curry noodles eggs toast fish chicken chips beans stew pie fruit
        sandwiches pancakes porridge tacos sushi steak sausages vegetables potatoes lentils ice cream chocolate
        biscuits yoghurt apples bananas burgers cereal dumplings
    """),
    "thing": _words("""
        phone laptop bike kettle radio lamp door window fridge car bus train computer washing machine heater printer
        camera watch clock chair table sofa bed shoe tap roof boiler television oven bag jacket
    """),
    "place": _words("""
        park shop beach library market museum gym pool cinema theatre garden forest lake river mountains countryside
        office station airport pub zoo bakery bank hospital school kitchen supermarket castle harbour
    """),
    "act": _words("""
        reading running swimming cooking painting walking cleaning dancing singing knitting gardening cycling hiking
        baking shopping sewing climbing skating fishing drawing writing working studying camping jogging sleeping
        travelling
    """),
    "day": _words("""
        monday tuesday wednesday thursday friday saturday sunday
    """),
    "time": _words("""
        today yesterday tomorrow tonight this_morning this_evening last_night last_week
    """),
    "kin": _words("""
        dog cat sister brother mother father mum dad boss friend wife husband son daughter teacher doctor neighbour
        aunt uncle grandma girlfriend boyfriend partner colleague roommate hamster rabbit horse puppy baby cousin
        coach landlord
    """),
    "feel": _words("""
        happy great good wonderful excited cheerful relaxed glad fantastic calm fine well okay
    """),
    "sad": _words("""
        sad tired ill stressed upset lonely worried angry bored sick nervous cold exhausted down unhappy
    """),
    "adj": ADJECTIVES,
    "noun": NOUNS,
    "did": DOINGS,
    "verb": VERBS,
}
