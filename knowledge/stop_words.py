"""Words that say nothing about what a text is about, without accents, by language.

Function words only, compiled for Acervo: articles, prepositions, pronouns, conjunctions, auxiliary
verbs and the words that make a sentence a question.
"""

_ENGLISH = """
a about above after again against all also am among an and any are aren as at be because been
before being below between both but by can cannot could couldn did didn do does doesn doing don
down during each either else etc ever every few for from further had hadn has hasn have haven
having he her here hers herself him himself his how however i if in into is isn it its itself just
ll may me might mine more most much must my myself neither no nor not now of off on once one only
onto or other ought our ours ourselves out over own per please rather re same shall shan she should
shouldn since so some such than that the their theirs them themselves then there therefore these
they this those though through thus to too toward towards under until up upon us ve very was wasn we
were weren what when where whether which while who whom whose why will with within without won
would wouldn yet you your yours yourself yourselves s t d m
"""

_PORTUGUESE = """
a ainda algo alguem algum alguma algumas alguns alem ambas ambos ante antes ao aos apenas apos
aquela aquelas aquele aqueles aquilo as assim ate atraves cada com como contra contudo cuja cujas
cujo cujos da daquela daquele das de dela delas dele deles demais dentro desde dessa dessas desse
desses desta destas deste destes disso disto do dos durante e ela elas ele eles em embora enquanto
entao entre era eram essa essas esse esses esta estao estar estas estava estavam este esteja estes
estou eu foi fora foram fosse ha isso isto ja la lhe lhes logo mais mas me mediante meio mesma
mesmas mesmo mesmos meu meus minha minhas muita muitas muito muitos na nao naquela naquele nas nem
nenhum nenhuma nessa nesse nesta neste no nos nossa nossas nosso nossos num numa o onde os ou outra
outras outro outros para pela pelas pelo pelos perante pode podem pois por porem porque portanto
pouco poucos qual quais qualquer quando quanta quantas quanto quantos que quem quer sao se seja
sejam sem sempre sendo ser sera serao seria seu seus si sido so sob sobre somos sou sua suas tal
tambem tampouco tao te tem tendo tenha ter teu teus tinha tive tiveram toda todas todo todos tu tua
tudo um uma umas uns vao voce voces vos
"""

STOP_WORDS = {"en": frozenset(_ENGLISH.split()), "pt": frozenset(_PORTUGUESE.split())}
