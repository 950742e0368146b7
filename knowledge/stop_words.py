"""Words that say nothing about what a text is about, by language.

Function words only, compiled for Acervo: articles, prepositions, pronouns, conjunctions, auxiliary
verbs and the words that make a sentence a question. Words are compared without accents.
"""

from knowledge.folding import fold
from knowledge.stop_words_further import FURTHER

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

_SPANISH = """
a al algo alguien algun alguna algunas alguno algunos alla alli ambas ambos ante antes aquel aquella
aquellas aquello aquellos aqui asi aun aunque bajo cada como con contra cual cuales cualquier cuando
cuanta cuantas cuanto cuantos cuya cuyas cuyo cuyos de del desde donde dos durante e el ella ellas
ello ellos en entonces entre era eran eres es esa esas ese eso esos esta estaba estaban estamos
estan estar estas este esto estos estoy fue fueron ha habia haber habian hace hacia han has hasta
hay he incluso la las le les lo los luego mas me mi mia mias mientras mio mios mis misma mismas
mismo mismos mucha muchas mucho muchos muy nada ni ningun ninguna ninguno no nos nosotras nosotros
nuestra nuestras nuestro nuestros nunca o os otra otras otro otros para pero pesar poco por porque
pudo puede pueden puedo pues que quien quienes se sea sean segun ser sera seran si sido siendo
siempre sin sino sobre sois solo somos son soy su sus suya suyas suyo suyos tal tales tambien
tampoco tan tanta tantas tanto tantos te tenemos tener tengo ti tiene tienen toda todas todavia todo
todos tras tu tus tuya tuyo un una unas uno unos usted ustedes varias varios vosotras vosotros
vuestra vuestro y ya yo
"""

_FRENCH = """
a afin ai aie ainsi alors apres as assez au aucun aucune aujourd auquel aura auraient aurait aussi
autre autres aux auxquelles auxquels avaient avais avait avant avec avez avoir avons ayant beaucoup
c car ce ceci cela celle celles celui cependant ces cet cette ceux chacun chacune chaque chez ci
combien comme comment contre d dans de dehors depuis des desquelles desquels dessous dessus devant
doit doivent donc dont du duquel durant elle elles en encore entre es est et etaient etais etait
etant ete etes etre eu eux faut fois font fut hors ici il ils j je jusqu jusque l la laquelle le
lequel les lesquelles lesquels leur leurs lors lorsque lui m ma mais malgre me meme memes mes mien
mienne mieux moi moins mon n ne ni non nos notre nous on ont or ou où par parce parmi pas pendant
peu peut peuvent plus plusieurs plutot pour pourquoi pouvez pouvoir pres puis puisque qu quand que
quel quelle quelles quelqu quelque quelques quels qui quoi quoique s sa sans sauf se selon sera
serait seront ses si sien sienne sinon soi soient soit sommes son sont sous suis sur t ta tandis
tant te tel telle telles tels tes toi ton toujours tous tout toute toutefois toutes tres trop tu un
une vers voici voila vos votre vous y
"""

_GERMAN = """
ab aber alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes
auch auf aus ausser bei beide beiden beim bevor bin bis bist da dabei dadurch dafür dagegen daher
dahin damit danach daneben dann daran darauf daraus darf darin darüber darum darunter das dass davon
davor dazu dein deine deinem deinen deiner dem den denen denn dennoch der deren des deshalb dessen
desto dich die dies diese diesem diesen dieser dieses dir doch dort du durch dürfen ein eine einem
einen einer eines einige einigen einiger er es etwa etwas euch euer eure falls für gegen gegenüber
gewesen gibt hab habe haben hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren
ihrer ihres im in indem innerhalb ins irgend ist ja jede jedem jeden jeder jedes jedoch jemand jene
jenem jenen jener jenes jetzt kann kannst kein keine keinem keinen keiner können könnte könnten man
manche mancher mehr mein meine meinem meinen meiner mich mir mit möchte muss müssen musste nach
nachdem neben nein nicht nichts nie niemand noch nun nur ob obwohl oder ohne pro sehr sei seid sein
seine seinem seinen seiner seines seit selbst sich sie sind so sobald sofern sogar solch solche
solchem solchen solcher soll sollen sollte sollten sondern sonst soweit sowie sowohl trotz über um
und uns unser unsere unserem unseren unserer unter viel viele vielen vom von vor während wann war
waren warum was weder wegen weil weiter welche welchem welchen welcher welches wem wen wenig weniger
wenn wer werde werden weshalb wessen wie wieder wieso will wir wird wo wobei wodurch wofür woher
wohin wollen womit woran worauf woraus worden worin wurde wurden würde würden zu zum zur zwar
zwischen
"""

_ITALIAN = """
a abbia abbiamo ad agli ai al alcun alcuna alcune alcuni alcuno alla alle allo allora altra altre
altri altro anche ancora avere aveva avevano avete avrà ben c che chi ci cioè ciò coi col come con
contro cosa così cui d da dagli dai dal dall dalla dalle dallo davanti degli dei del dell della
delle dello dentro di dopo dove dovrà dunque durante e è ed egli era erano essa esse essere essi
esso fa fino fra fu furono già gli ha hai hanno ho i il in infatti inoltre io l la là le lei li lo
loro lui lungo ma me medesimo meno mentre mi mia mie miei mio molta molte molti molto ne nè negli
nei nel nell nella nelle nello nessun nessuna nessuno niente noi non nostra nostre nostri nostro o
od ogni oltre oppure ora per perché perciò però più po poco poi presso prima proprio può possono
quale quali qualche qualcosa qualcuno quando quanta quante quanti quanto quasi quel quella quelle
quelli quello quest questa queste questi questo qui quindi sarà saranno se sé secondo sei sempre
senza si sia siamo siano siete sono sopra sotto sta stata state stati stato stessa stesse stessi
stesso su sua sue sugli sui sul sull sulla sulle sullo suo suoi tale tali tanta tanto te ti tra
tranne troppo tu tua tue tuo tuoi tutta tutte tutti tutto un una uno v verso vi voi vostra vostre
vostri vostro
"""

_DUTCH = """
aan achter af al alle alleen als altijd ander andere anders ben bent bij binnen boven buiten daar
daarom dan dat de deze die dit doch doen doet door dus een eens eerst elk elke en er geen geweest
haar had hadden heb hebben hebt heeft hem hen het hier hij hoe hoeveel hun ieder iedere iemand iets
ik in indien is ja je jij jou jouw jullie kan kon konden kunnen kunt langs maar mag me meer met mij
mijn min moest moet moeten mogen na naar naast nadat niemand niet niets nog noch nooit nu of om
omdat onder ons onze ook op over per reeds rond samen sinds sommige te tegen tenzij terwijl tijdens
toch toen tot totdat tussen u uit uw van vanaf vanuit veel via vol volgens voor voordat waar waarin
waarom wanneer want waren was wat we weer wel welk welke werd werden wie wij wil worden wordt ze zei
zelf zich zij zijn zo zoals zonder zou zouden zulke zullen
"""

_CATALAN = """
a abans això al algun alguna algunes alguns allà allò als altra altre altres amb aquell aquella
aquelles aquells aquest aquesta aquestes aquests aquí així baix cada cap com contra d dalt de del
dels des després dins doncs durant e eh el ella elles ells els em en encara ens entre era eren és
ets est està estan estat estava et etc ha han havia he hem heu hi ho i igual ja jo l la les li
llavors lo los m ma malgrat mateix mateixa mateixes mateixos me mentre mes més meu meus meva meves
molt molta moltes molts mon n ne nosaltres nostra nostre nostres o on pas pel pels per però perquè
poc poca poden pot qual quals quan quant quanta quantes quants que què qui quin quina quines quins s
sa se segons sense ser serà ses seu seus seva seves si sí sobre sóc sols som són sota t també tampoc
tan tant te tenen tinc tot tota totes tots tu un una unes uns us va vam van vau vosaltres vostra
vostre
"""

_ROMANIAN = """
a abia acea aceasta această aceea aceeași acei aceia acel acela acelea acelui acest acesta aceste
acestea acestei acestor acestui acolo acum adică ai aia aici al ale alt alta altă alte alți alții am
ambele ambii anume ar are aș așa asupra ați atunci au avea avem aveți azi ca că căci când care cărei
căror cărui cât câtă câte câți către ce cea ceea cei cel cele celor chiar ci cine cineva cu cui cum
cumva da dacă dar datorită de deasupra deci decât deja deși despre din dinspre dintr dintre doar
după ea ei el ele era erau este eu fără fi fie fiecare fiind fost i în înainte înapoi încă îmi între
într îl îi își la le li lor lui mai mea mei mele meu mi mult multă multe mulți ne ni nici nimeni
nimic niște noastră noastre noi nostru noștri nu o oare ori orice oricare oricine pe pentru peste
poate pot prea prin printr sa să săi sale sau său se si și spre sub sunt suntem sunteți ta tale tău
te ți toată toate tot toți totuși tu un una unde unei unele unii unor unui unul va vă vi voastră
voastre voi vom vor vostru voștri vreun vreo
"""

_SWEDISH = """
alla allt än andra är att av bara bland blev bli blir både då där dem den denna deras dess dessa det
detta dig din dina ditt dock du eftersom efter ej eller en er era ert ett för före från få får genom
går gör ha hade han hans har hej henne hennes hit hon honom hos hur i icke in inga ingen inget innan
inom inte jag ju kan kunna kunde man med mellan men mera mig min mina mitt mot mycket någon något
några när ni nu och också om oss på redan sådan sådana sådant samma samt sedan sig sin sina sitt
själv ska skall skulle så som till tills trots under upp ut utan vad var vara varför varit varje
vars vart vem vems vi vid vilka vilkas vilken vilket vår våra vårt vore åt över
"""

_DANISH = """
ad af aldrig alle alt anden andet andre at bare begge blev blive bliver da de dem den denne der
deres det dette dig din dine disse dit dog du efter ej eller en end endnu er et få får flere for
fordi før fra frem gennem hans han har havde have hen hende hendes her hos hun hvad hvem hver hvilke
hvilken hvilket hvis hvor hvordan hvorfor hvornår i igen ikke imod ind ingen inden intet ja jeg jer
jeres jo kan kom kun kunne man mange med meget mellem men mens mere mig min mine mit mod må måtte
når ned nej noget nogen nogle nu ny og også om op os over på samt sammen selv sig sin sine sit skal
skulle som sådan således thi til ud uden under var ved vi vil ville vor være været
"""

_NORWEGIAN = """
alle alt altså andre at av begge ble bli blir bare da de dei deg den denne der dere deres det dette
di din disse ditt du eg ei ein eit eller en enn er et ett etter før for fordi fra fram få får
gjennom ha hadde han hans har hennes her hos hun hva hvem hver hvilke hvilken hvis hvor hvordan
hvorfor i ikke ikkje imot ingen inn ja jeg kan korleis kun kunne kva man mange med meg meget mellom
men mens mer min mine mitt mot må når ned nei noe noen nokon noko nå og også om opp oss over på så
samme samt seg selv sin sine sitt siden skal skulle slik som til tid under ut uten var vært ved vi
vil ville vår være å
"""

_FINNISH = """
ei eivät ella en enää ennen että ette he hän häneltä hänelle hänen häntä heidän heitä ilman itse ja
jo joka joko jolla jonka jos jossa joten jotka jotta jotain jopa kaikki kanssa kautta keiden ken
kenen kenet ketkä ketä koko koska kuin kuinka kuitenkin kuka kukaan kun kunnes kyllä luona me meidän
meille mihin mikä mikään miksi mikäli millainen milloin minä minua minulla minulle minun missä mitä
miten molemmat mukaan mutta muu muut myös mä ne niiden niin niitä noin nuo nyt näiden nämä näin ohi
oikein ole oleva olemme olen olet oletko oli olisi olivat olla olleet ollut on ovat paitsi pitkin
sekä sen se siellä siihen siinä sillä silloin silti sinä sitten sitä suin te teidän tuo tämä tämän
tässä tätä tähän vaan vai vaikka vain vielä voi voivat voiko voin yli ympäri
"""

_HUNGARIAN = """
a ahol ahogy ahogyan aki akik akkor akár alatt által általában amely amelyek amelyeket amelyet
amelynek ami amikor amit amíg annak arra arról át az azért azok azon azonban azt aztán azután azzal
bár be belül benne csak de e egy egyes egyéb egyik egyre ehhez ekkor el elég ellen elő először előtt
én ennek erre ez ezek ezen ezért ezt ezután ezzel fel felé fog ha hanem hiszen hogy hogyan hol hova
ide igen így ill illetve is itt jobban ki kívül kell kellett keresztül kit között közül le legalább
legyen lehet lehetett lenne lennie lesz lett maga magát majd már mások másik me meg mégis mellett
mely melyek melyik mennyi mert mi mikor milyen mind minden mindenki mindig mint mintha mit mivel
miért most nagyon ne néha nem nekem neki nélkül ő ők őket olyan össze ott pedig persze rá s saját
sem semmi se sok során szerint számára szinte talán tehát teljes több tovább továbbá úgy új újra
után utána vagy vagyok van vannak való valaki valami valamint velük vissza volna volt voltak
"""

_POLISH = """
a aby ach albo ale ależ ani aż bardzo bez bo bowiem być był była było były będą będzie bywa chce
choć ci ciebie co coś czy czyli czego czemu dla dlaczego dlatego do dokąd gdy gdyż gdzie go i ich
ile im inna inne inny innych iż ja jak jaka jakaś jaki jakie jakiś jako jakoś je jednak jednakże
jego jej jemu jest jestem jeszcze jeśli jeżeli już każda każde każdy kiedy kto ktoś która które
którego której którzy który których którym ku lecz lub ma mają mam mamy mi między mimo mną mnie moja
moje mój może możliwe można mu musi my na nad nam nami nas nasz nasza nasze nawet nic nich nie niej
nigdy nim niż no o obok od około on ona one oni ono oraz oto pan pani po pod podczas pomimo ponad
ponieważ poza prawie przed przede przez przy raz się są sobie sobą swoja swoje swój ta tak taka taki
takich takie także tam te tego tej ten tę też to tobie toteż tu tutaj twoja twoje twój ty tych tylko
tym u w wam wami was wasz wasza wasze we według wiele więc wszyscy wszystkich wszystkie wszystko
wtedy wy z za zaś że żeby
"""

_CZECH = """
a aby ač ačkoli ale anebo ani asi až během bez bude budou budu by byl byla byli bylo být co což či
další dle do dnes ho i já jak jaká jaké jako jaký je jeho jej její jejich jen jenž jestli jestliže
ještě ji jí jich jiná jiné jiný již jsem jsi jsme jsou jste k kam každá každé každý kde kdo kdy když
ke která které kterou který kteří ku lze má mají máme mám mé mě mezi mi mimo mnou moje mohou můj
může my na nad nám nás náš naše ne nebo neboť nechť než ní nic nich ním no o od on ona oni ono ovšem
pak po pod podle pokud pouze pro proč proti proto protože před přes při s se si sice sobě své svůj
svých svým ta tak také takže tam tato té tedy ten tento těch ti tím to toho tohle tom tomu toto tu
tuto tvůj ty tyto u už v vám vás váš ve však všechno všichni vy z za zda zde ze že
"""

_TURKISH = """
acaba ama ancak artık aslında ayrıca az bana bazen bazı belki ben benden beni benim beri bile bin
bir birçok biri birkaç birşey biz bize bizden bizi bizim bu buna bunda bundan bunlar bunları
bunların bunu bunun burada çok çünkü da daha dahi de defa değil diğer diye dolayı eğer en fakat gibi
göre hala hangi hani hem henüz hep hepsi her hiç hiçbir için iken ile ilgili ise işte kadar karşı
kendi kendine ki kim kimse mı mi mu mü nasıl ne neden nerede nereye niçin niye o olan olarak oldu
olduğu olduğunu olması olmak olur olup on ona ondan onlar onları onların onu onun oysa öyle önce
rağmen sadece sana sanki sen senden seni senin siz sizden sizi sizin sonra şey şu şuna şunlar şunu
tarafından tüm üzere var vardır ve veya ya yani yine yoksa zaten
"""

_LISTS = {
    "en": _ENGLISH,
    "pt": _PORTUGUESE,
    "es": _SPANISH,
    "fr": _FRENCH,
    "de": _GERMAN,
    "it": _ITALIAN,
    "nl": _DUTCH,
    "ca": _CATALAN,
    "ro": _ROMANIAN,
    "sv": _SWEDISH,
    "da": _DANISH,
    "no": _NORWEGIAN,
    "fi": _FINNISH,
    "hu": _HUNGARIAN,
    "pl": _POLISH,
    "cs": _CZECH,
    "tr": _TURKISH,
    **FURTHER,
}
STOP_WORDS = {code: frozenset(map(fold, words.split())) for code, words in _LISTS.items()}
