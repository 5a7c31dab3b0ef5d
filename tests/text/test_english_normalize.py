"""Written English to spoken English, notation by notation, and on any string at all."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.text.english.language import English, normalize
from edge_tts.text.english.numbers import cardinal, digits, fraction, in_pairs, label, number, ordinal, plural, year

CASES = {
    "times": [
        ("at 7:30 pm.", "at seven thirty P M."),
        ("at 11:59 p.m. It", "at eleven fifty-nine P M. It"),
        ("at 9 a.m. or so", "at nine A M or so"),
        ("at 13:15", "at one fifteen p.m."),
        ("at 12:00", "at twelve o'clock"),
        ("at 0:15", "at twelve fifteen a.m."),
        ("12:30:45", "twelve thirty and forty-five seconds p.m."),
        ("a 3:2 win", "a three to two win"),
        ("timer 0:05:30", "timer five minutes and thirty seconds"),
        ("Mon-Fri 9am", "Monday to Friday nine A M"),
        ("Tue, 3 Mar", "Tuesday, the third of March"),
        ("Sat 10am", "Saturday ten A M"),
        ("he sat in the Sun, happy", "he sat in the Sun, happy"),
    ],
    "dates": [
        ("on 12/31/2025", "on December thirty-first, twenty twenty-five"),
        ("on 31/12/2025", "on December thirty-first, twenty twenty-five"),
        ("on 2025-01-02", "on January second, twenty twenty-five"),
        ("the 1990s", "the nineteen nineties"),
        ("the '90s", "the nineties"),
        ("in 2006", "in two thousand six"),
        ("in 1905", "in nineteen oh five"),
    ],
    "money": [
        ("$2.5 million", "two point five million dollars"),
        ("$4m", "four million dollars"),
        ("$1", "one dollar"),
        ("$0.99", "ninety-nine cents"),
        ("£7.14", "seven pounds and fourteen pence"),
        ("5€", "five euros"),
        ("-$5", "minus five dollars"),
        ("$9.99/kg", "nine dollars and ninety-nine cents per kilogram"),
        ("£5, 50% off", "five pounds, fifty percent off"),
        ("$1,234.50", "one thousand, two hundred thirty-four dollars and fifty cents"),
    ],
    "units": [
        ("60km/h", "sixty kilometers per hour"),
        ("5kg", "five kilograms"),
        ("5 kg", "five kilograms"),
        ("3 m/s", "three meters per second"),
        ("1tsp", "one teaspoon"),
        ("5 in a row", "five in a row"),
        ("seat 12A", "seat twelve A"),
        ("21°C", "twenty-one degrees celsius"),
        ("-5 °C", "negative five degrees celsius"),
        ("20℃", "twenty degrees celsius"),
        ("30%", "thirty percent"),
        ("16GB", "sixteen gigabytes"),
        ("35 µg/m³", "thirty-five micrograms per cubic meter"),
        ("3/4 tsp", "three fourths teaspoon"),
        ("1 1/2 tsp", "one and a half teaspoons"),
        ("120/80 mmHg", "one hundred twenty over eighty millimeters of mercury"),
        ("5'10\"", "five feet ten inches"),
    ],
    "numbers": [
        ("3,000", "three thousand"),
        ("45,678", "forty-five thousand, six hundred seventy-eight"),
        ("3.14", "three point one four"),
        ("-3", "negative three"),
        ("1st 22nd 113th", "first twenty-second one hundred and thirteenth"),
        ("the 1001st night", "the one thousand and first night"),
        ("1/2 of 3/4", "one half of three fourths"),
        ("6/6 of them", "six sixths of them"),
        ("20/20 vision", "twenty twenty vision"),
        ("1 1/2 cups", "one and a half cups"),
        ("3½ cups", "three and a half cups"),
        ("24/7", "twenty-four seven"),
        ("10–15 days", "ten to fifteen days"),
        ("10-15 days", "ten to fifteen days"),
        ("they won 2-4", "they won two-four"),
        ("from 2010-2015", "from twenty ten to twenty fifteen"),
        ("~5 days", "about five days"),
        ("007", "zero zero seven"),
        ("2 + 3 = 5", "two plus three equals five"),
        ("5 - 3", "five minus three"),
        ("x² + 2x - 3 = 0", "x squared plus two x minus three equals zero"),
        ("a ≠ b", "a is not equal to b"),
        ("1. Mix it.", "first, Mix it."),
        ("3. 2. 1. Go", "three. two. one. Go"),
        ("。21.0", ". twenty-one point zero"),
        ("٣ apples", "three apples"),
        ("#5", "number five"),
    ],
    "codes": [
        ("v1.0.12", "one point zero point twelve"),
        ("2024.11.1", "twenty twenty-four point eleven point one"),
        ("sensor.living_room is off", "sensor dot living room is off"),
        ("192.168.1.1", "one hundred ninety-two dot one hundred sixty-eight dot one dot one"),
        ("(555) 123-4567", "five five five, one two three, four five six seven"),
        ("+1 555 123 4567", "plus one, five five five, one two three, four five six seven"),
        ("555-0142", "five five five, zero one four two"),
        ("bob.smith@example.co.uk", "bob dot smith at example dot co dot uk"),
        ("https://example.com/a?x=1", "example dot com slash a question mark x equals one"),
    ],
    "quantities and years": [
        ("it made 2,150 boxes", "it made two thousand, one hundred fifty boxes"),
        ("the deposit is $1,450", "the deposit is one thousand, four hundred fifty dollars"),
        ("1600 guests came", "one thousand, six hundred guests came"),
        ("she walked 1984 meters", "she walked one thousand, nine hundred eighty-four meters"),
        ("opened in 1875, sold in 2016", "opened in eighteen seventy-five, sold in twenty sixteen"),
        ("on May 5, 1821", "on May fifth, eighteen twenty-one"),
        ("the 2008 elections", "the two thousand eight elections"),
        ("£2.5m and 3.5k fans", "two point five million pounds and three point five thousand fans"),
    ],
    "times of today": [
        ("dinner at 6:09", "dinner at six oh nine"),
        ("lights out at 22:01", "lights out at ten oh one p.m."),
        ("we met at 8:30 this morning", "we met at eight thirty this morning"),
        ("at 19:00 sharp", "at seven p.m. sharp"),
        ("the timer shows 02:30", "the timer shows two minutes and thirty seconds"),
        ("1:10:05 left", "one hour and ten minutes and five seconds left"),
    ],
    "durations": [
        ("3h 20m to go", "three hours twenty minutes to go"),
        ("dry for 2h15m", "dry for two hours fifteen minutes"),
        ("1d 6h", "one day six hours"),
        ("a 7m 45s run", "a seven minutes forty-five seconds run"),
        ("12m left", "twelve minutes left"),
        ("back in 20m.", "back in twenty minutes."),
        ("a rope of 12m", "a rope of twelve meters"),
        ("it takes 1.5 s", "it takes one point five seconds"),
    ],
    "dates by the words around": [
        ("rent is due 3/15", "rent is due March fifteenth"),
        ("closed on 11/28", "closed on November twenty-eighth"),
        ("the filter expires on 09/01", "the filter expires on September first"),
        ("away 12/20-12/27", "away December twentieth to December twenty-seventh"),
        ("on 24/12", "on December twenty-fourth"),
        ("from 1/2 of it to 3/4 of it", "from one half of it to three fourths of it"),
        ("7/16 inch", "seven sixteenths inch"),
    ],
    "units of homes": [
        ("a 16 A fuse", "a sixteen amp fuse"),
        ("a 10-min break of 5 min", "a ten minute break of five minutes"),
        ("0.31 €/kWh", "zero point three one euros per kilowatt hour"),
        ("25¢ a piece", "twenty-five cents a piece"),
        ("water it 2x a week", "water it two times a week"),
        ("2700 K", "two thousand, seven hundred kelvin"),
        ("7 l/100km", "seven liters per hundred kilometers"),
        ("outside 21C", "outside twenty-one degrees celsius"),
        ("usage in kWh", "usage in kilowatt hours"),
        ("12 in wide", "twelve inches wide"),
        ("8 min. left", "eight minutes left"),
        ("3 L/min.", "three liters per minute."),
        ("4K", "four K"),
        ("seat 5 A", "seat five A"),
    ],
    "numbers that are names": [
        ("dial 112 at once", "dial one one two at once"),
        ("ring 999", "ring nine nine nine"),
        ("Flight LH 430 lands", "Flight L H four thirty lands"),
        ("room 205", "room two oh five"),
        ("train 1516", "train fifteen sixteen"),
        ("the door code is 7301", "the door code is seven three zero one"),
        ("PIN: 0815", "pin zero eight one five"),
        ("call 555-7788", "call five five five, seven seven eight eight"),
        ("1240 Oak Street", "twelve forty Oak Street"),
        ("call 300 times", "call three hundred times"),
        ("Fig. 4 on p. 12", "Figure four on page twelve"),
        ("living room 850 ppm", "living room eight hundred fifty parts per million"),
    ],
    "capitals": [
        ("the pump is ON", "the pump is on"),
        ("MOTION DETECTED", "motion detected"),
        ("DO NOT OPEN IT", "do not open it"),
        ("the LED is OFF", "the L E D is off"),
        ("the alarm is ARMED", "the alarm is armed"),
        ("UNESCO and the CIA", "unesco and the C I A"),
        ("the IT team", "the I T team"),
        ("I AM IN ROOM A", "I am in room A"),
        ("the ON/OFF switch", "the on off switch"),
        ("READY IN 20 MIN", "ready in twenty minutes"),
        ("GPS and SOS", "G P S and S O S"),
        ("CO DETECTED", "C O detected"),
    ],
    "parts of a whole": [
        ("she scored 17/20", "she scored seventeen out of twenty"),
        ("pain level: 4/10", "pain level four of ten"),
        ("8/10 users agree", "eight out of ten users agree"),
        ("step 2/5", "step two of five"),
        ("3/4 cups and 2/3 miles", "three fourths cups and two thirds miles"),
        ("5,120/8,000 steps", "five thousand, one hundred twenty of eight thousand steps"),
        ("memory 3.5/16 GB", "memory three point five of sixteen gigabytes"),
    ],
    "days and seasons": [
        ("on March 14", "on March fourteenth"),
        ("Sat, Sept 7", "Saturday, September seventh"),
        ("by 12 October 2027", "by the twelfth of October twenty twenty-seven"),
        ("May 3 people in?", "May three people in?"),
        ("June 10-12", "June tenth to twelfth"),
        ("the 2nd-4th", "the second to fourth"),
        ("season 2026/27", "season twenty twenty-six to twenty-seven"),
        ("the 2026-27 school year", "the twenty twenty-six to twenty-seven school year"),
        ("Tomorrow is 10/19", "Tomorrow is October nineteenth"),
        ("4/9 at 6:30 pm", "April ninth at six thirty P M"),
        ("from 1745 to 1790", "from seventeen forty-five to seventeen ninety"),
        ("between 1200 and 1300 guests", "between one thousand, two hundred and one thousand, three hundred guests"),
        ("the class of 2031 left", "the class of twenty thirty-one left"),
    ],
    "more times": [
        ("the film took 2:10:30", "the film took two hours and ten minutes and thirty seconds"),
        ("2h45 to go", "two hours forty-five minutes to go"),
        ("0h 20m left", "twenty minutes left"),
        ("3h 05m", "three hours five minutes"),
        ("a 2:30 h film", "a two hours thirty minutes film"),
        ("it departs at 1705", "it departs at seventeen oh five"),
        ("0730 hours", "zero seven thirty hours"),
        ("open 10-6", "open ten to six"),
        ("the 9:40 to Leeds", "the nine forty to Leeds"),
    ],
    "more names": [
        ("Call (555) 201-7788", "Call five five five, two zero one, seven seven eight eight"),
        ("code: 113 907", "code one one three, nine zero seven"),
        ("rooms 204-209", "rooms two oh four to two oh nine"),
        ("Order 4417", "Order forty-four seventeen"),
        ("order 1200 chairs", "order one thousand, two hundred chairs"),
        ("plate KLM 4471", "plate K L M, four four seven one"),
        ("the ID is B90210", "the I D is B nine zero two one zero"),
        ("table no. 12", "table number twelve"),
        ("The answer is no. 12 came", "The answer is no. twelve came"),
        ("a Boeing 737 at gate B4", "a Boeing seven thirty-seven at gate B four"),
        ("US-285", "U S-two eighty-five"),
        ("88 E. 9th St.", "eighty-eight East ninth Street."),
        ("N. Elm Ave is shut", "North Elm Avenue is shut"),
        ("wind: SW 9 mph", "wind southwest nine miles per hour"),
        ("unit 3B and bus 7M", "unit three B and bus seven M"),
    ],
    "more amounts": [
        ("the 2,000th song", "the two thousandth song"),
        ("a $50 card", "a fifty dollar card"),
        ("$15-25 a seat", "fifteen to twenty-five dollars a seat"),
        ("€2.49/dozen", "two euros and forty-nine cents per dozen"),
        ("$4 per kg", "four dollars per kilogram"),
        ("12k", "twelve thousand"),
        ("a 10k run", "a ten k run"),
        ("5M users, 40k fans", "five million users, forty thousand fans"),
        ('a 27" screen', "a twenty-seven inch screen"),
        ('he said "take 9" twice', "he said take nine twice"),
        ("2½ hours", "two and a half hours"),
        ("a 1/2-lb bag", "a one half pound bag"),
        ("15 min break", "fifteen minute break"),
        ("3x/week", "three times a week"),
        ("6 qt, 5 mmol/L", "six quarts, five millimoles per liter"),
        ("8 µg/m³ of dust", "eight micrograms per cubic meter of dust"),
    ],
    "titles and streets": [
        ("Ask Dr. Reed.", "Ask Doctor Reed."),
        ("She lives on Birch Dr. now", "She lives on Birch Drive now"),
        ("Turn into King St. It is close", "Turn into King Street. It is close"),
        ("St. Paul is at 9 Bay St.", "Saint Paul is at nine Bay Street."),
        ("Mr. Bell and Mrs. Cole", "Mr Bell and Mrs Cole"),
        ("Capt. Hook, 4th Ave.", "Captain Hook, fourth Avenue."),
        ("before WWI", "before World War one"),
        ("eggs, etc.", "eggs, et cetera."),
    ],
    "words": [
        ("The CEO of ABC", "The C E O of A B C"),
        ("WARNING: leak", "warning leak"),
        ("PLEASE CLOSE THE DOOR", "please close the door"),
        ("Dr. Who", "Doctor Who"),
        (".Dr. Who", ". Doctor Who"),
        ("A Ph.D.", "A P H D."),
        ("Henry VIII", "Henry the eighth"),
        ("World War II", "World War two"),
        ("an IV drip, The IV, I", "an I V drip, The I V, I"),
        ("e.g. apples", "for example apples"),
        ("No. 5 and no. It", "number five and no. It"),
        ("WiFi and PCs", "Wifi and P C's"),
        ("iPhone", "i Phone"),
        ("Don’t", "Don't"),
        ("jalapeño crème", "jalapeno creme"),
        ("Ｈｅｌｌｏ！", "Hello!"),
        ("Yes，it is。", "Yes, it is."),
        ("A & B", "A and B"),
        ("red; green", "red, green"),
        ("wait… what", "wait. what"),
        ("yes - no", "yes, no"),
        ("yes – no — yes", "yes no yes"),
        ("αβ", "alpha beta"),
        ("x²", "x squared"),
    ],
}


@pytest.mark.parametrize(("written", "spoken"), [case for cases in CASES.values() for case in cases])
def test_notation_is_said_as_people_say_it(written: str, spoken: str) -> None:
    """Each notation gives the words that a person would say."""
    assert normalize(written) == spoken


DATES = [
    ("on 05/06", "on May sixth", "on June fifth"),
    ("on 05/06/2026", "on May sixth, twenty twenty-six", "on June fifth, twenty twenty-six"),
    ("on 5-6-2026", "on May sixth, twenty twenty-six", "on June fifth, twenty twenty-six"),
    ("due 12/24-12/26", "due December twenty-fourth to December twenty-sixth", None),
    ("due 24/12", "due December twenty-fourth", None),
    ("on 05.06.2026", "on June fifth, twenty twenty-six", None),
    ("on 2026-05-06", "on May sixth, twenty twenty-six", None),
    ("1/2 cup", "one half cup", None),
]


@pytest.mark.parametrize(("written", "month_first", "day_first"), DATES)
def test_dates_are_read_in_the_order_of_the_house(written: str, month_first: str, day_first: str | None) -> None:
    """What could be either is read in the configured order; full stops say that the day comes first."""
    assert normalize(written) == month_first
    assert English(day_first=True).normalize(written) == (day_first or month_first)


@given(st.text(max_size=200))
def test_any_string_gives_only_speakable_characters(text: str) -> None:
    """Nothing raises, and nothing is left that the pronunciation would not know."""
    assert re.fullmatch(r"[A-Za-z'.,?! -]*", normalize(text))


@given(st.lists(st.from_regex(r"[a-z]{2,9}", fullmatch=True), min_size=1, max_size=20))
def test_plain_words_are_not_changed(words: list[str]) -> None:
    """Lower-case words come out in their order, none lost, none added."""
    text = " ".join(words)
    if not any(word in ("no", "vs", "st") for word in words):
        assert normalize(text) == text


@given(st.integers(0, 10**15 - 1))
def test_a_number_is_never_lost(n: int) -> None:
    """Every number is said in words, and its last group is heard at the end; 911 is called by its digits."""
    words = normalize(f"it is {n} now").removeprefix("it is ").removesuffix(" now")
    assert words in {number(str(n)), year(str(n)), digits(str(n)) if n == 911 else ""}
    assert not re.search(r"\d", words)


def test_numbers_in_words() -> None:
    """Hyphens, commas and years are those of ordinary spelling."""
    assert cardinal(4012) == "four thousand twelve"
    assert cardinal(1_000_000) == "one million"
    assert cardinal(2_045_012) == "two million, forty-five thousand twelve"
    assert (in_pairs(2500), in_pairs(2013)) == ("twenty-five hundred", "twenty thirteen")
    assert (year("1905"), label("302"), label("1204"), label("90210")) == (
        "nineteen oh five",
        "three oh two",
        "twelve oh four",
        "nine zero two one zero",
    )
    assert (ordinal("12"), ordinal("40"), ordinal("1000")) == ("twelfth", "fortieth", "one thousandth")
    assert (plural("sixty"), plural("six")) == ("sixties", "sixes")
    assert (fraction("5", "2"), fraction("7", "365")) == ("five halves", "seven over three hundred sixty-five")
