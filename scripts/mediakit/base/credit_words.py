"""Whether a message says that an account has nothing left to spend. Pure.

A service's own error code comes first; these words are for those that have none, or one that is not known. They
are read with their neighbours: "no credit card", "recharge the battery" and a rate limit's quota are something else.
"""

from __future__ import annotations

import re

# "credits", "account balance", "prepaid funds", but no credit card, no white balance and no credits at a film's end.
_SHOWN = r"\b(?! card| score| line| (?:in|of|at|on|between) (?!your|this|the (?:account|wallet|plan|team|workspace|org)|account))"
_KIND = r"(?:(?:any|your|the|api|account|available|remaining|prepaid|usage|generation|image|video|more|free|paid) )*"
_MONEY = (
    _KIND + rf"(?:credits?{_SHOWN}|(?:account |wallet )?balance{_SHOWN}|wallet|funds?(?! shown)|tokens? balance|quota)"
)
_OWNED = rf"(?:credits?{_SHOWN}|(?:account|wallet|credit|prepaid|your|available|remaining) balance|funds)"
_GONE = (
    r"(?:too low|insufficient|exhausted|depleted|not enough|not sufficient|used up|run out|empty|negative|overdrawn)"
)
_LIMIT = (
    r"(?:billing(?: hard)?|hard|spend(?:ing)?|monthly spend(?:ing)?|monthly budget|budget|usage|credits?|cost)"
    r" (?:limits?|cap|allowance)"
)
_NOTHING = r"(?:is )?[:=]? ?\(?(?:[$\u20ac\u00a3\u00a5] ?)?0+(?:\.0+)?\b(?!\.\d)"

_PHRASES = (
    (
        rf"(?:insufficient|inadequate|not enough|not sufficient|lack of|lacks?|lacking|too few|exhausted|out of|ran out of"
        rf"|run out of|have no|has no|no more|without|there are no|need more|requires more|exceeds?(?: your)?) {_MONEY}"
    ),
    rf"(?:not|n't|no longer) have (?:enough|sufficient) {_MONEY}",
    rf"\bno (?:available |remaining |more )?(?:credits|funds|balance)\b{_SHOWN}(?! shown)",
    r"(?:need|requires?) (?:at least )?[\d.,]+ (?:more )?credits?\b[^.]{0,80}?(?:more credits|have|has|left|remaining|available|only)",
    r"need [\d.,]+ more credits?\b",
    rf"(?:current|remaining|account|wallet|credits?|your) balance ?{_NOTHING}",
    r"(?:^|[.:,;(] ?)(?:low (?:account |credit )?balance|balance (?:is )?(?:too low|not enough|empty|zero|negative|used up))",
    r"\bbalance (?:\([^()]{0,20}\) )?(?:is )?not (?:enough|sufficient)|\byour wallet is empty|outstanding balance",
    r"(?:used|spent|consumed)(?: up)? (?:all )?(?:of )?(?:your|the) (?:monthly |free |trial |daily |included )*credits|all (?:your )?credits (?:are |have been )?(?:used|spent)",
    rf"{_OWNED} (?:\w+ ){{0,2}}?(?:is |are |has |have |was |were |has been |have been )?(?:currently )?{_GONE}",
    r"\b(?:0|zero) (?:credits?|funds) (?:remaining|left|available)",
    r"credits? (?:remaining|left|available|balance)(?: is)?[: ]+0\b",
    (
        rf"(?:exceeded|exceeds|used up|exhausted|reached|over) (?:your |the |its )?(?:current |monthly |account |free |billing |specified |api )*"
        rf"(?:quota|allowance|{_LIMIT})"
    ),
    rf"(?:quota|{_LIMIT}) (?:\w+ ){{0,3}}?(?:exceeded|exhausted|reached|used up)|{_LIMIT} has been reached",
    r"insufficient quota|quota exceeded|payment required|payment (?:is )?(?:overdue|past due)|past due (?:invoice|balance)",
    r"\b(?:account|invoice|bill|subscription|payment) (?:\w+ ){0,2}(?:overdue|past due|in arrears|unpaid)|\bunpaid (?:invoice|bill|balance|fees)|\barrearage\b|\boverdue (?:payment|invoice|balance|bill)",
    (
        r"(?:top up|recharge|refill|add (?:more )?(?:funds|credits)|buy (?:more )?credits|purchase (?:more )?credits)"
        r"(?:(?: to)? (?:your|the) (?:account|balance|wallet|credits)| credits| in (?:the )?billing| to (?:continue|proceed)"
        r"| (?:and|then) (?:try|retry)|\.?$)"
    ),
    r"upgrade (?:your|the) plan (?:to|for) (?:get )?(?:more )?credits|add a payment method",
)  # fmt: skip
_CHINESE = (
    "(?:余额|额度|积分|点数|配额|资金|算力|金币|信用点|灵感值)(?:已)?(?:不足|不够|耗尽|用完|用尽|为零|为0(?![.\\d])|超限)"
    "|(?:没有|缺少)(?:足够的?)?(?:余额|额度|积分|点数|配额)"
    "|(?:超出|超过|达到)(?:了)?(?:(?:消费|支出|账户|月度|信用|费用|预算|使用)(?:限额|上限|额度|配额)|额度|配额)"
    "|(?:余额|积分|点数|额度)(?:仅)?(?:为|是|[:：])\\s*[¥￥$]?0(?:\\.0+)?(?![.\\d])"
    "|欠费|逾期未付|账单逾期|请(?:先)?(?:充值|续费)|餘額不足|額度不足|點數不足|請(?:先)?(?:充值|儲值)"
)
# The plainest words of other languages: services pass on what their own customers read.
_ELSEWHERE = (
    r"(?:nicht gen(?:ü|ue)gend|nicht ausreichend(?:es)?|unzureichendes|kein) guthaben|guthaben (?:ist )?(?:aufgebraucht|reicht nicht|nicht ausreichend)"
    r"|(?:cr(?:é|e)dits?|solde|fonds) (?:est |sont )?insuffisants?|plus de cr(?:é|e)dits"
    r"|(?:saldo|fondos|cr(?:é|e)dit[oi]s?|cr(?:é|e)dito) (?:es |é |e )?insuf+icient[ei]s?|(?:suficientes?|sufficienti?) cr(?:é|e)dit[oi]s?"
    r"|(?:クレジット|残高|ポイント)(?:が|は)?(?:不足|足り)|(?:크레딧|잔액|잔고|포인트)(?:이|가|은|는)? ?(?:부족|없)"
    r"|недостаточно (?:средств|кредитов|баланса)|kredit tidak mencukupi|saldo tidak (?:cukup|mencukupi)|bakiye yetersiz|yetersiz bakiye"
)
# Compiled when they are first needed: most commands are never refused.
_WORDS = "|".join((*_PHRASES, _CHINESE, _ELSEWHERE))
# A quota of requests comes back by itself in a moment; a limit of how much is asked at once never was spent.
_RATES = (
    r"\bper (?:second|minute|hour)\b|\brate limit|\brequests? limit|\btoo many requests|\bconcurren|\bqps\b|\brpm\b|\btpm\b"
    r"|每分钟|每秒|频率|并发|限流"
    r"|quota exceeded for (?:quota )?metric|\bretry (?:in|after) \d"
    r"|prompt (?:is )?too long|\bcharacters\b|context (?:length|window)"
)
# None of the phrases does without one of these. Most answers have none, and every read of a job is asked.
_STEMS = (
    "credit", "balance", "wallet", "fund", "quota", "allowance", "limit", "cap", "payment", "due", "arrear", "unpaid",
    "top", "recharge", "refill", "guthaben", "solde", "fonds", "saldo", "insuf", "kredit", "bakiye",
)  # fmt: skip


def says_credits_are_missing(text: str) -> bool:
    """Whether a message or error code speaks of missing credits, in words, `SNAKE_CASE` or `CamelCase`."""
    plain = text[:20_000].lower()
    if plain.isascii() and not any(stem in plain for stem in _STEMS):
        return False
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text[:20_000]).lower().replace("\u2019", "'")
    spaced = re.sub(r"[\s_\-]+", " ", spaced).strip()
    return bool(re.search(_WORDS, spaced)) and not re.search(_RATES, spaced)
