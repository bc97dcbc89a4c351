"""Some two thousand questions with short answers: countries, elements, words, numbers, the calendar.

Made from tables in this package and from lists below, which are common knowledge in our own words. The same question
never has two entries; where several answers are right, all are given.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from explicate.data.language.countries import countries


@dataclass(frozen=True)
class Question:
    """A question. `answers` are all right, the first is the usual one; `topic` is what kind of question it is."""

    text: str
    answers: tuple[str, ...]
    topic: str


@functools.cache
def everyday_questions() -> tuple[Question, ...]:
    """All of them, by topic."""
    found: dict[str, Question] = {}
    for part in (_geography(), _elements(), _words(), _numbers(), _calendar()):
        for question in part:
            before = found.get(question.text)
            merged = () if before is None else before.answers
            answers = tuple(dict.fromkeys((*merged, *question.answers)))
            found[question.text] = Question(question.text, answers, question.topic)
    return tuple(found.values())


def _geography() -> Iterator[Question]:
    for country in countries():
        name = country.name
        yield Question(f"What is the capital of {name}?", (country.capital,), "capital")
        yield Question(f"{country.capital} is the capital of which country?", (name,), "country of a capital")
        yield Question(f"On which continent is {name}?", (country.continent,), "continent")
        yield Question(f"What is the currency of {name} called?", (country.currency,), "currency")
        yield Question(f"Which language is spoken by most people in {name}?", (country.language,), "language")


def _elements() -> Iterator[Question]:
    for number, entry in enumerate(ELEMENTS.split(), 1):
        name, symbol = entry.split(":")
        names = (name, *((SPELLINGS[name],) if name in SPELLINGS else ()))
        yield Question(f"What is the chemical symbol of {name}?", (symbol,), "element symbol")
        yield Question(f"Which chemical element has the symbol {symbol}?", names, "element of a symbol")
        yield Question(f"What is the atomic number of {name}?", (str(number),), "atomic number")


def _words() -> Iterator[Question]:
    for pair in OPPOSITES.split():
        one, other = pair.split(":")
        yield Question(f"What is the opposite of {one}?", (other,), "opposite")
        yield Question(f"What is the opposite of {other}?", (one,), "opposite")
    for pair in PLURALS.split():
        one, many = pair.split(":")
        yield Question(f"What is the plural of {one}?", (many,), "plural")
    for pair in YOUNG.split():
        animal, young = pair.split(":")
        yield Question(f"What is a young {animal} called?", (young,), "young animal")
    for pair in PAST.split():
        verb, past = pair.split(":")
        yield Question(f"What is the past tense of {verb}?", (past,), "past tense")


def _numbers() -> Iterator[Question]:
    for first in range(2, 13):
        for second in range(first, 13):
            yield Question(f"What is {first} times {second}?", (str(first * second),), "times")
    for first in range(3, 40, 4):
        for second in range(5, 40, 6):
            yield Question(f"What is {first} plus {second}?", (str(first + second),), "plus")
            yield Question(f"What is {first + second} minus {second}?", (str(first),), "minus")
    for number in range(2, 21):
        yield Question(f"What is the square root of {number * number}?", (str(number),), "square root")
    for word, number in zip(COUNTING.split(), range(1, 21), strict=True):
        yield Question(f"Which number is written as the word {word}?", (str(number),), "number word")


def _calendar() -> Iterator[Question]:
    for names, what in ((MONTHS.split(), "month"), (DAYS.split(), "day")):
        for place, name in enumerate(names):
            yield Question(f"Which {what} comes after {name}?", (names[(place + 1) % len(names)],), what)
            yield Question(f"Which {what} comes before {name}?", (names[place - 1],), what)
    for place, name in enumerate(MONTHS.split(), 1):
        yield Question(f"What is the number of the month {name} in the year?", (str(place),), "month")


MONTHS = "January February March April May June July August September October November December"
SPELLINGS = {"aluminium": "aluminum", "caesium": "cesium", "sulfur": "sulphur"}
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
COUNTING = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
ELEMENTS = """
hydrogen:H helium:He lithium:Li beryllium:Be boron:B carbon:C nitrogen:N oxygen:O fluorine:F neon:Ne sodium:Na
magnesium:Mg aluminium:Al silicon:Si phosphorus:P sulfur:S chlorine:Cl argon:Ar potassium:K calcium:Ca scandium:Sc
titanium:Ti vanadium:V chromium:Cr manganese:Mn iron:Fe cobalt:Co nickel:Ni copper:Cu zinc:Zn gallium:Ga germanium:Ge
arsenic:As selenium:Se bromine:Br krypton:Kr rubidium:Rb strontium:Sr yttrium:Y zirconium:Zr niobium:Nb molybdenum:Mo
technetium:Tc ruthenium:Ru rhodium:Rh palladium:Pd silver:Ag cadmium:Cd indium:In tin:Sn antimony:Sb tellurium:Te
iodine:I xenon:Xe caesium:Cs barium:Ba lanthanum:La cerium:Ce praseodymium:Pr neodymium:Nd promethium:Pm samarium:Sm
europium:Eu gadolinium:Gd terbium:Tb dysprosium:Dy holmium:Ho erbium:Er thulium:Tm ytterbium:Yb lutetium:Lu hafnium:Hf
tantalum:Ta tungsten:W rhenium:Re osmium:Os iridium:Ir platinum:Pt gold:Au mercury:Hg thallium:Tl lead:Pb bismuth:Bi
polonium:Po astatine:At radon:Rn francium:Fr radium:Ra actinium:Ac thorium:Th protactinium:Pa uranium:U neptunium:Np
plutonium:Pu americium:Am curium:Cm berkelium:Bk californium:Cf einsteinium:Es fermium:Fm mendelevium:Md nobelium:No
lawrencium:Lr rutherfordium:Rf dubnium:Db seaborgium:Sg bohrium:Bh hassium:Hs meitnerium:Mt darmstadtium:Ds
roentgenium:Rg copernicium:Cn nihonium:Nh flerovium:Fl moscovium:Mc livermorium:Lv tennessine:Ts oganesson:Og
"""
"""Name and symbol, by atomic number."""
OPPOSITES = """
hot:cold big:small tall:short fast:slow happy:sad rich:poor young:old light:dark day:night good:bad up:down left:right
open:closed full:empty hard:soft wet:dry early:late strong:weak loud:quiet clean:dirty cheap:expensive near:far
wide:narrow thick:thin deep:shallow heavy:weightless true:false love:hate war:peace win:lose buy:sell push:pull
begin:end arrive:depart remember:forget friend:enemy life:death success:failure question:answer north:south east:west
inside:outside above:below before:after always:never first:last black:white male:female sharp:blunt rough:smooth
sweet:sour brave:cowardly generous:stingy simple:complicated ancient:modern increase:decrease accept:refuse
victory:defeat attack:defend import:export maximum:minimum positive:negative public:private asleep:awake
"""
PLURALS = """
child:children man:men woman:women foot:feet tooth:teeth goose:geese mouse:mice ox:oxen person:people louse:lice
leaf:leaves knife:knives wife:wives life:lives wolf:wolves shelf:shelves half:halves calf:calves loaf:loaves
thief:thieves city:cities baby:babies lady:ladies story:stories country:countries berry:berries cherry:cherries
party:parties family:families army:armies box:boxes fox:foxes church:churches bus:buses glass:glasses dish:dishes
watch:watches brush:brushes tomato:tomatoes potato:potatoes hero:heroes echo:echoes crisis:crises analysis:analyses
thesis:theses basis:bases oasis:oases cactus:cacti fungus:fungi nucleus:nuclei radius:radii stimulus:stimuli
phenomenon:phenomena criterion:criteria bacterium:bacteria medium:media datum:data curriculum:curricula index:indices
matrix:matrices vertex:vertices appendix:appendices larva:larvae alga:algae sheep:sheep deer:deer fish:fish
series:series species:species cat:cats dog:dogs house:houses tree:trees car:cars book:books bird:birds key:keys
"""
YOUNG = """
dog:puppy cat:kitten cow:calf horse:foal sheep:lamb goat:kid pig:piglet lion:cub bear:cub duck:duckling goose:gosling
swan:cygnet deer:fawn kangaroo:joey frog:tadpole eagle:eaglet owl:owlet hare:leveret elephant:calf whale:calf
"""
PAST = """
go:went see:saw eat:ate take:took give:gave come:came run:ran write:wrote drive:drove break:broke speak:spoke
choose:chose fly:flew know:knew grow:grew throw:threw draw:drew begin:began drink:drank sing:sang swim:swam ring:rang
buy:bought bring:brought think:thought teach:taught catch:caught seek:sought find:found hold:held stand:stood
understand:understood tell:told sell:sold feel:felt keep:kept sleep:slept leave:left lose:lost meet:met pay:paid
say:said send:sent spend:spent build:built win:won sit:sat steal:stole wake:woke wear:wore tear:tore ride:rode
rise:rose fall:fell forget:forgot hide:hid bite:bit shake:shook make:made have:had do:did be:was
"""
