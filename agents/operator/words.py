"""The words of the grammar: classes of words, phrases that mean one word, and what limits and sectors are called."""

from __future__ import annotations

_CLASSES: dict[str, str] = {
    "WHY": "why wherefore",
    "EXPLAIN": "explain explanation reason reasons rationale justify justification",
    "NOT": "not never without",
    "REFUSED": "blocked vetoed rejected skipped expired refused declined voided denied missed ignored unselected "
    "dropped unasked stopped",
    "BUY": "buy buys buying bought purchase purchased purchasing",
    "SELL": "sell sells selling sold",
    "CHANGE": "change changed changes happen happens happened happening new news update updates moved",
    "SINCE": "since lately recently recent overnight",
    "EXPOSE": "exposure exposures exposed position positions holding holdings hold holds held own owns owned portfolio "
    "invested weight weights allocation",
    "BOOK": "book",
    "RISK": "risk risks risky",
    "VAR": "var cvar",
    "DRAWDOWN": "drawdown drawdowns",
    "STRESS": "stress stressed crisis scenario scenarios",
    "VOLATILITY": "volatility vol volatile",
    "BETA": "beta",
    "CONCENTRATION": "concentration concentrated",
    "EQUITY": "equity cash pnl nav loss losses losing profit profits worth",
    "PROTECTION": "protection",
    "LIMITS": "limit limits cap caps headroom threshold thresholds ceiling ceilings",
    "USED": "used usage utilisation utilization left room near close far remaining consumed breached full",
    "WAIT": "wait waits waiting queue queued pending approval approvals outstanding undecided inbox",
    "DECISIONS": "decide decision decisions",
    "WOULD": "would could might",
    "FLIP": "change changed flip flipped flips differently otherwise alter altered pass passed",
    "IF": "if suppose supposing imagine assume assuming hypothetically",
    "COMPARE": "compare compared compares comparing comparison versus vs differ differs difference differences "
    "different",
    "LASTTIME": "lasttime",
    "OUTCOME": "outcome outcomes ended ends result results resulted perform performed fared worked",
    "GO": "go went do did end turn going",
    "HALT": "halt stop pause freeze suspend kill flatten",
    "RESUME": "resume unhalt restart unpause unfreeze",
    "DECIDE": "approve reject sign accept confirm authorise authorize override deny decline yes release extend grant "
    "overrule waive",
    "ADJUST": "raise lower increase decrease set adjust loosen tighten remove disable enable activate relax lift widen "
    "ignore",
    "ORDER": "buy sell liquidate dump exit close cancel submit execute send place short cover hedge",
    "PROPOSE": "propose suggest recommend",
    "HEALTH": "finding findings health healthy problem problems alert alerts warning warnings wrong halted status "
    "broken degraded trouble",
    "LESSON": "lesson lessons learn learned learnt learns learning taught",
    "PACE": "sla fast quickly slow slowly pace",
    "HELP": "help commands abilities",
    "FALL": "fall falls fell fallen drop drops dropped crash crashes crashed decline declines declined lose loses lost "
    "plunge plunges plunged sink sinks sank",
    "RISE": "rise rises rose risen gain gains gained rally rallies rallied jump jumps jumped climb climbs climbed",
    "COUNTER": "counterfactual counterfactuals",
    "MARKET": "market index",
    "WHAT": "what which how who when where",
    "SHOW": "show list tell give",
    "BE": "is are was were am",
    "MUCH": "much big large high bad far many",
    "FOLLOW": "and same also",
    "ABOUT": "about",
    "IT": "it that this them one",
    "CASE": "case cases",
    "SYMBOLS": "symbol symbols name names stock stocks company companies",
    "SECTORS": "sector sectors industry industries",
    "STRATEGIES": "strategy strategies",
    "AGENTS": "agent agents",
    "EVERYTHING": "everything all desk firm trading",
    "SHARES": "shares share",
    "TODAY": "today",
}
CLASSES: dict[str, frozenset[str]] = {}
for _name, _words in _CLASSES.items():
    for _word in _words.split():
        CLASSES[_word] = CLASSES.get(_word, frozenset()) | {_name}

_FILLER_WORDS = """
a an the of in on at to for from by with we us our ours i me my you your they their he she be been being have has
had do does did done can shall should will may must there here so too very really just please now then than as or
but any some more most less no ok okay hi hey hello thanks thank good next per each every up down out over into
under between because who whom its want like need know see get make made think believe still yet again after before
during while today's right morning tonight ask answer question want wants time times day days week month session
last previous yesterday first second third best worst weather story joke love low high price prices cost long short
size total overall current currently against decided asked shown told chosen selected considered sing
"""
_FILLERS = frozenset(_FILLER_WORDS.split())
"""Ordinary words: never taken for a ticker in small letters and never for a misspelt word of the grammar."""
KNOWN = frozenset(CLASSES) | _FILLERS

PHRASES: tuple[tuple[str, str], ...] = (
    ("how come", "why"), ("what made", "why"), ("for what reason", "why"), ("what is the reason", "why"),
    ("value at risk", "var"), ("expected shortfall", "cvar"), ("p & l", "pnl"), ("p&l", "pnl"), ("p and l", "pnl"),
    ("last time", "lasttime"), ("previous time", "lasttime"), ("the time before", "lasttime"),
    ("previous case", "lasttime"), ("last case", "lasttime"), ("the one before", "lasttime"),
    ("turn out", "outcome"), ("turned out", "outcome"), ("end up", "outcome"), ("ended up", "outcome"),
    ("pan out", "outcome"), ("panned out", "outcome"), ("work out", "outcome"), ("worked out", "outcome"),
    ("what became of", "outcome"), ("what happened to", "outcome"),
    ("shut down", "halt"), ("pull the plug", "halt"), ("kill switch", "halt"), ("shut everything down", "halt"),
    ("no new orders", "halt"), ("no new trades", "halt"),
    ("carry on", "resume"), ("lift the halt", "resume"), ("lift all halts", "resume"), ("release the halt", "resume"),
    ("release all halts", "resume"), ("end the halt", "resume"), ("go on trading", "resume"),
    ("start trading again", "resume"), ("continue trading", "resume"), ("turn trading back on", "resume"),
    ("open a case to", "propose"), ("open a case for", "propose"), ("open a ticket to", "propose"),
    ("open a ticket for", "propose"), ("write a ticket to", "propose"), ("write a ticket for", "propose"),
    ("raise a ticket to", "propose"), ("raise a ticket for", "propose"), ("draft a ticket to", "propose"),
    ("draft a ticket for", "propose"), ("make a proposal to", "propose"),
    ("in order", "health"), ("data age", "health"), ("data quality", "health"), ("anything wrong", "health"),
    ("what if", "if"), ("had we", "if we"), ("were we to", "if we"), ("what would happen if", "if"),
    ("passed over", "refused"), ("left out", "refused"), ("passed up", "refused"), ("not selected", "refused"),
    ("turned down", "refused"), ("turn down", "refused"), ("not chosen", "refused"),
    ("would it take", "would flip"), ("would have to be different", "would flip"), ("how close was", "would flip"),
    ("what can you", "help"), ("what can i ask", "help"), ("what do you know", "help"), ("how do you work", "help"),
    ("what questions", "help"), ("going on", "changed"), ("since when", "when"), ("to decide", "waiting"),
    ("needs me", "waiting"), ("need me", "waiting"), ("needs a person", "waiting"), ("needs my", "waiting"),
    ("waits for", "waiting"), ("to do list", "waiting"), ("gone wrong", "health"), ("went wrong", "health"),
    ("how long do people take", "pace"), ("how long do approvals take", "pace"), ("how fast", "pace"),
    ("how quickly", "pace"), ("time to decide", "pace"), ("on my plate", "waiting"), ("on my desk", "waiting"),
    ("at risk", "risk"),
    ("stress test", "stress"), ("stress tests", "stress"), ("stress test results", "stress"),
    ("go ahead and", "please"), ("go ahead", "yes"), ("make it so", "yes"), ("desk ok", "health"), ("all ok", "health"),
    ("everything ok", "health"), ("everything fine", "health"), ("everything alright", "health"),
    ("close to", "near"), ("be sold", "sell"), ("be bought", "buy"),
    ("would change", "would flip"), ("would have changed", "would flip"), ("could change", "would flip"),
)  # fmt: skip

POLITE: tuple[str, ...] = (
    "please", "pls", "kindly", "can you", "could you", "would you", "will you", "can we", "could we", "may i", "can i",
    "i want you to", "i would like you to", "i want to", "i would like to", "i need you to", "id like to", "let us",
    "lets", "go ahead and", "just", "now", "then", "ok", "okay", "hey", "hi", "hello", "so", "well", "immediately",
    "quickly", "do", "you must", "you should", "you shall", "we should", "we must", "i said", "and", "simply",
    "at once",
)  # fmt: skip

LIMIT_STEMS: dict[str, tuple[str, ...]] = {
    "max_sector_share": ("sector", "sectors", "sector exposure", "sector share"),
    "max_position_share": (
        "position", "position size", "position share", "single name", "single position", "name", "symbol", "stock",
    ),
    "max_trade_share": ("trade", "trade size", "trade share", "allocation per trade", "single trade"),
    "max_gross_share": ("gross", "gross exposure", "gross share"),
    "max_net_share": ("net", "net exposure", "net share"),
    "max_leverage": ("leverage",),
    "max_group_share": ("group", "correlated group", "correlation group", "group share"),
    "max_adv_share": ("adv", "adv share", "participation", "volume", "adv participation"),
    "max_total_open_risk": ("open risk", "total open risk", "risk to the stops", "stop risk"),
    "max_daily_loss": ("daily loss", "day loss", "loss", "losses per day"),
    "max_drawdown": ("drawdown",),
    "max_open_positions": ("open positions", "number of positions", "positions", "position count"),
    "max_order_notional": ("order", "order value", "order notional", "notional", "order size"),
    "min_order_notional": ("minimum order", "minimum notional", "min notional"),
    "max_order_quantity": ("order quantity", "quantity", "shares per order"),
    "max_trades_per_day": ("trades per day", "daily trades"),
    "max_loss_streak": ("loss streak", "losing streak"),
    "max_automatic_executions": ("automatic executions", "automatic orders"),
    "max_orders_per_minute": ("message rate", "orders per minute"),
    "max_data_age_hours": ("data age", "stale data"),
}  # fmt: skip
LIMIT_ALONE = frozenset({
    "gross share", "trade share", "open risk", "total open risk", "daily loss", "loss streak", "losing streak",
    "sector share", "position share", "net share", "group share", "adv share", "leverage", "message rate",
    "trades per day", "automatic executions", "allocation per trade", "order notional",
})  # fmt: skip
"""Stems that name a limit without the word limit."""
LIMIT_BEFORE = ("max", "maximum", "min", "minimum", "largest")
LIMIT_AFTER = ("limit", "limits", "cap", "caps", "ceiling", "threshold", "maximum", "max")
LIMIT_JOIN = ("on", "for", "of", "per", "the", "a", "an", "each", "any", "every", "single", "one")

SECTOR_WORDS: dict[str, str] = {
    "tech": "technology", "it": "technology", "software": "technology", "bank": "financials", "banks": "financials",
    "finance": "financials", "financial": "financials", "oil": "energy", "telecom": "telecommunications",
    "telecoms": "telecommunications", "telco": "telecommunications", "healthcare": "health", "pharma": "health",
    "staples": "staples", "discretionary": "discretionary", "industrial": "industrials", "utility": "utilities",
    "material": "materials",
}  # fmt: skip

NUMBERS: dict[str, int] = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100,
    "thousand": 1000,
}  # fmt: skip
FACTORS: dict[str, str] = {"doubled": "2", "twice": "2", "double": "2", "halved": "0.5", "half": "0.5", "tripled": "3"}
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
