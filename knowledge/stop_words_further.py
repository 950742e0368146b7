"""Function words of languages with fewer speakers here, or scripts of their own, by language."""

_RUSSIAN = """
а без более больше будет будто бы был была были было быть в вам вас ведь весь во вот впрочем все
всегда всего всей всем всех всю вся вы где да даже два для до другая другие другой его ее ей ему
если есть еще ж же за здесь и из или им иногда их к каждый как какая какие каким какой каких ко
когда которая которого которое которой которые который которых кто куда ли лишь либо между меня мне
много может можно мой моя мы на над надо наш наша наши не него нее ней нельзя нет ни нибудь никогда
ним них ничего но ну о об однако он она они оно от перед по под после потому почему почти при про
раз разве с сам само сама свой свои своя себе себя сегодня сейчас сколько со совсем так такая такие
такой там те тебя тем теперь то тогда того тоже той только том тот тут ты у уж уже хоть хотя чего
чей чем через что чтоб чтобы чуть эта эти этим этих это этого этой этом этот эту я
"""

_SERBIAN = """
а ако али без би био била били било бити већ виш ви где да до док дакле ево за зато зашто због и из
или им иако има имају их ја је једна једно један јер јесам јесу још ка кад када како као кога која
које који којем којих којој коју кроз ли међу мене ми може мој моја моје на над нам нас наш наша не
него није нису нећ ни о об од око он она они оно па по под поред после пошто пре преко према при са
сам само све своје свој се сви смо су та тај тако такође там тамо те ти тим то ток том тог тој у уз
код шта што ће ћемо a ako ali bez bi bio bila bili bilo biti već gde gdje da do dok dakle evo za
zato zašto zbog i iz ili im iako ima imaju ih ja je jedna jedno jedan jer jesam jesu još ka kad kada
kako kao koga koja koje koji kojem kojih kojoj koju kroz li među mene mi može moj moja moje na nad
nam nas naš naša ne nego nije nisu ni o od oko on ona oni ono pa po pod pored posle pošto pre preko
prema pri sa sam samo sve svoje svoj se svi smo su ta taj tako takođe tamo te ti tim to tokom tom
tog toj u uz kod šta što će ćemo
"""

_GREEK = """
αλλά αν αντί από άρα ας αυτά αυτές αυτή αυτό αυτοί αυτός αυτού αυτούς αυτών για γιατί δε δεν εάν εγώ
εδώ είμαι είμαστε είναι εις είσαι είστε εκεί εκείνα εκείνη εκείνο εκείνος εμείς ένα έναν ένας ενώ
επειδή επί εσείς εσύ ή η ήταν θα και κάθε καθώς κάποια κάποιο κάποιος κατά κι κοντά μα με μεν μετά
μέχρι μη μήπως μην μια μία μου μπορεί μπορώ να ναι ο οι όμως όπου όπως όσα όσο όσοι όσος όταν ότι ου
όχι παρά περί πια πιο ποια ποιες ποιο ποιοι ποιος ποιον που πού πρέπει πριν προς πώς σαν σας σε στα
στη στην στις στο στον στους στων σου τα τη την της τι τις το τον του τους των τότε ως ώστε
"""

_ARABIC = """
في من على الى إلى عن مع هذا هذه ذلك تلك هو هي هم هما هن أنا نحن انت أنت أنتم كان كانت كانوا يكون
تكون ليس ليست لا لم لن ما ماذا متى أين كيف كم هل لماذا الذي التي الذين اللذان اللاتي أن إن أنه أنها
إنه إنها أو أم ثم و ف ب ل ك قد لقد كل بعض غير بين بعد قبل عند عندما منذ حتى إذا لو لكن لكنه بل كما
أي أية حيث ضد فوق تحت أمام خلف خلال حول دون سوى إلا فقط أيضا هنا هناك له لها لهم به بها بهم فيه فيها
منه منها منهم عليه عليها عليهم وهو وهي وفي ومن وعلى وان وأن والتي والذي ولا ولم وكان وقد التى يمكن
يجب
"""

_HINDI = """
अगर अपना अपनी अपने अब अभी आदि आप आपका आपकी आपके इन इनका इनकी इनके इस इसका इसकी इसके इसमें इसलिए इसी
इसे उन उनका उनकी उनके उनको उन्हें उन्होंने उस उसका उसकी उसके उसने उसी उसे एक एवं ऐसा ऐसी ऐसे और कई
कब कभी कर करना करने करता करती करते कहाँ कहा का किस किसी की के को कौन क्या क्यों कि किया कितना कितने
किन कुछ कैसे कोई गई गए गया चाहिए जब जहाँ जा जाता जाती जाते जिस जिसका जिसकी जिसके जिन जो तक तब तथा
तरह तुम तो था थी थे द्वारा दिया दी न नहीं ना ने पर परंतु फिर बहुत बाद बारे बीच भी मगर मुझे में मेरा
मेरी मेरे मैं यदि यह यहाँ या ये रहा रही रहे लिए लेकिन व वह वहाँ वाला वाली वाले वे सकता सकती सकते सब
सभी साथ से हम हमारा हमारी हमारे ही हुआ हुई हुए है हैं हो होगा होता होती होते होना होने हूँ
"""

_NEPALI = """
अनि अब अर्को आज आदि आफू आफ्नो उनी उनको उसको ऊ एक एउटा कि किन कुन कुनै के को कसरी कहाँ कहिले कति का
की गरी गरेको गर्न गर्ने छ छन् छैन जब जसको जुन जो त तथा तर तिनी तिमी तपाईं त्यो थियो थिए देखि द्वारा
न नै पनि पछि फेरि बाट भन्दा भने भएको भयो म मा मात्र मेरो यदि यस यसको यी यो र रूपमा लाई ले वा सँग सबै
साथ हामी हाम्रो हुन हुने हुन्छ हो
"""

_INDONESIAN = """
ada adalah agar akan aku anda antara apa apakah atas atau bagaimana bagi bahwa banyak beberapa belum
berapa bila bisa boleh bukan cara dalam dan dapat dari daripada dengan di dia hanya harus hingga ia
ialah ini itu jadi jika juga kalau kami kamu kapan karena kata ke kemudian kepada ketika kita lain
lagi lalu lebih maka mana masih mengapa menjadi mereka nya namun oleh pada para paling pernah pun
saat saja saya sebagai sebelum sebuah secara sedang sehingga sejak seperti serta setelah setiap
siapa sudah supaya tanpa telah tentang terhadap tersebut tetapi tiap tidak untuk walaupun yaitu yang
"""

_ESTONIAN = """
aga ainult all alles alla ega ehk ei enam enne et ette ga ja jah jaoks järel järgi just juurde
juures ka kas keda kelle kes kogu kohta koos kuhu kui kuid kuidas kuigi kus kõik küll läbi ma me
meie mida midagi mille millal millest milline minu mis miks mina mingi mitte mu muu need neid nende
nii ning nüüd oled olen oleks oleme olete oli olid olla olnud oma on pärast peab peale pole sa see
seda sel selle selles sellest siin siis sina sest sinu su ta taga te teda teie tema temal tõttu
umbes üks üle vaid vahel vastu veel või võib võivad väga
"""

_LITHUANIAN = """
ant apie aš ar arba bei bet be buvo buvau bus būti dar dėl ir iš iki ją jam jau jei jeigu ji jie jį
jis jo jos jų jums jūs jūsų juo kad kada kai kaip kam kas kieno kiek kiekvienas kita kiti kitų ko
kodėl kokia kokie koks kur kuri kurie kuriame kurio kurios kuris kurių kurį kurią labai lyg man mane
manęs mano mes mums mūsų nei nes nors nuo o pagal pas pat per po prie prieš pro savo sau su tačiau
tai taip tam tarp tas tau tave ta tie tik tiek to toks tokia todėl tos tuo tų tu turi už va vien
viena vienas vis visa visi visų yra į
"""

_BASQUE = """
al ala aldiz alde ari arte asko aurka aurrean baina bai baino bakoitz baldin bat batean batek baten
batez batzuk bere beren bezala bezain bi bidez da dago daude den dela dena denak dira direla diren
diete dio ditu dituen dituzte du dute duen duten edo ere ez eta ezik gainera gara gero gu gure hala
hain han handik hau hauek hemen hori horiek hura hari izan izango izaten kontra nahiz nik ni nire
non noiz nola nor norbait nork nondik nora oso ordea orain oraindik ondoren orduan ote zein zeintzuk
zen zer zergatik zenbat ziren zituen zion zu zuen zuten zure
"""

_IRISH = """
a ach ag agus an ansin ar arb as aon b ba beag bhí bhfuil bheith cad cá cathain cé cén chuig conas d
dá dar de den do don dó é éard eile faoi féin fuil gach gan go gur í iad idir in ina is lá le leis
liom ló lena má mar mé mo muid na nach ná ní níl nó nuair ó os roimh sa san seo sé sí siad sin sinn
sna sul tá tar trí tú um uile
"""

_ARMENIAN = """
այդ այլ այն այս այստեղ այնտեղ առանց արդեն բայց դա դեպի դու դուք ե եթե ես եմ են ենք եք է էի էին էինք
էիր էիք էր ըստ թ թե ի ին իսկ իր իրենց իրեն կա կամ կան համար հետ հետո մասին մեզ մենք մեջ մի միայն
մինչև մոտ նա նաև նրա նրանք նրանց որ որը որոնք որպես որտեղ ինչ ինչպես ինչու երբ ով քան քանի ու չէ
պետք պիտի սա և վրա
"""

_YIDDISH = """
א אויב אויך אויף אונדז אונטער אָבער אַז אַלע אין איז איך אים איר און ביי ביז בין ביסט ביטע געווען
דאָ דאָס דאן די דיר דער דעם דורך דו האָבן האָט האב ווי וואָס וואו ווען ווער ווײַל וועט וועלן זיך זיי
זיין זי זאָל זענען זײַן זײַנען זייער טאָר יא יעדער יענער ייִ כאָטש מיט מיר מען ניט נישט נאָך נאָר
פאר פֿאַר פון פֿון צו צי קיין קען קענען
"""

_TAMIL = """
ஆனால் இங்கு இதன் இதில் இதை இது இந்த இப்போது இல்லை இருந்து இவர் இவை உள்ள எங்கு எது எந்த எப்படி
எப்போது எல்லாம் என் என்பது என்று என்ற என்ன ஏன் ஒரு கூட தான் நான் நாம் நீ நீங்கள் பற்றி பிறகு போது
மட்டும் மற்றும் முன் மூலம் மேல் யார் வரை வேண்டும் அங்கு அதன் அதில் அதை அது அந்த அல்லது அவர் அவர்கள்
அவள் அவன் அவை
"""

_PERSIAN = """
از است اگر اما او آن آنان آنجا آنها این اینجا اند با باید بدون بر برای برخی بعد بود بودند بوده به بی
بیش بین پس پیش تا تو چرا چند چه چون چگونه چیست حتی خود دارد دارند داشت در درباره دو دیگر را زیر سپس
سوی شد شده شما شود طور کجا کدام کرد کردن کرده کس که کنند کند کنیم کی ما مانند مگر من می میان نباید
نه نیز نیست ها هر هم همان همه همچنین هنوز هیچ و ولی وقتی یا یک
"""

_ESPERANTO = """
al ankaŭ ankoraŭ antaŭ apud aŭ ĉar ĉe ĉi ĉio ĉirkaŭ ĉiu ĉiuj ĉu da de dum do ebla eĉ ekster el en
estas estis estos esti estu ĝi ĝia ĝis ĝin ili ilia ilin inter ja jam je jen jes ju ke kia kial kiam
kie kiel kiom kiu kiuj kiun kio kion kun krom kvankam la laŭ li lia lin malgraŭ mem mi mia min ne
nek ni nia nin nu nun nur ol oni or per plej pli plu po por post preter pri pro se sed sen ŝi ŝia
ŝin si sia sin sub super sur tamen tia tial tiam tie tiel tiom tio tiu tiuj tra trans tre tro tuj
unu vi via
"""

FURTHER = {
    "ru": _RUSSIAN,
    "sr": _SERBIAN,
    "el": _GREEK,
    "ar": _ARABIC,
    "hi": _HINDI,
    "ne": _NEPALI,
    "id": _INDONESIAN,
    "et": _ESTONIAN,
    "lt": _LITHUANIAN,
    "eu": _BASQUE,
    "ga": _IRISH,
    "hy": _ARMENIAN,
    "yi": _YIDDISH,
    "ta": _TAMIL,
    "fa": _PERSIAN,
    "eo": _ESPERANTO,
}
