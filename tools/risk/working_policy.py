"""When a strategy's own entries are worked over several sessions: an optional section of the limits file.

```yaml
working: {above_adv_share: "0.005", algorithm: vwap, sessions: 4, participation: "0.01"}
```

Without the section every entry of a strategy is one order at the next open. How a ticket is worked is said on it.
"""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from tools.types import Proposal, Working


class WorkingPolicy(Working):
    """The section `working`: entries above `above_adv_share` of the average daily value traded are worked so.

    `max_adv_share` holds for the whole entry all the same, so a share above it works nothing.
    """

    above_adv_share: Decimal = Field(ge=0, le=1)

    def worked(self, proposal: Proposal, adv: Decimal | None) -> Proposal:
        """The proposal, to be worked where it is an entry of that size. `adv` is money a day; None is not known.

        It is worked within its horizon, so that the view is not judged before it was acted on.
        """
        if proposal.kind != "order.entry" or adv is None or proposal.notional <= self.above_adv_share * adv:
            return proposal
        sessions = min(self.sessions, proposal.horizon_sessions - 1)
        if sessions < 2:
            return proposal
        how = Working(algorithm=self.algorithm, sessions=sessions, participation=self.participation)
        return proposal.model_copy(update={"working": how})
