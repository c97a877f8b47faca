import type { Case, Review } from "../api/types";
import { decimal, money, percent, sharePercent, words } from "../lib/format";
import { notional } from "../lib/queue";
import { Facts, SideWord, Tag } from "./basics";
import { ChangeFacts, changeSentence } from "./change";

/** What would be sent, or put in force, in one sentence. */
export function orderSentence({ proposal, change }: Pick<Case, "proposal" | "change">): string {
  if (!proposal) return change ? changeSentence(change) : "nothing: the record of this case is damaged.";
  const verb = proposal.side === "buy" ? "Buy" : "Sell";
  const stop = proposal.stop_price ? `, then a protective stop at ${money(proposal.stop_price)}` : "";
  const when = proposal.working
    ? `worked by ${proposal.working.algorithm.toUpperCase()} at the next ${proposal.working.sessions} opens, each child`
    : "at the next open,";
  return `${verb} ${decimal(String(proposal.quantity), 0)} ${proposal.symbol} ${when} only between `
    + `${money(proposal.band.low)} and ${money(proposal.band.high)}${stop}.`;
}

export function ProposalFacts({ item, equity }: { item: Case; equity: string | null }) {
  const p = item.proposal;
  if (!p) return <ChangeFacts item={item} />;
  const worth = notional(p);
  const share = equity && Number(equity) > 0 ? Number(worth) / Number(equity) : null;
  return (
    <>
      <p className="thesis">{p.thesis}</p>
      <Facts
        rows={[
          ["Order", <><SideWord side={p.side} /> {decimal(String(p.quantity), 0)}</>],
          p.working ? ["Worked", `${p.working.algorithm.toUpperCase()} over ${p.working.sessions} sessions, one child at each open, at most ${sharePercent(p.working.participation, 1)} of its expected volume`] : null,
          ["Notional", <>{money(worth, 0)}{share !== null && <span className="muted"> {percent(share)} of equity</span>}</>],
          ["Reference price", money(p.reference_price)],
          ["Price band", `${money(p.band.low)} to ${money(p.band.high)}`],
          p.stop_price ? ["Protective stop", money(p.stop_price)] : null,
          ["Risk", <>{words(p.risk_effect)}{p.taint && <> <Tag tone="warn">tainted evidence</Tag></>}</>],
          ["Strategy", words(p.strategy)],
          ["Horizon", `${p.horizon_sessions} sessions`],
          ["Strength, confidence", `${p.strength.toFixed(2)}, ${p.confidence.toFixed(2)}`],
          Number(p.factor) === 1 ? null : ["Scaled to", sharePercent(p.factor, 0)],
        ]}
      />
    </>
  );
}

export function ReviewLines({ review }: { review: Review }) {
  return (
    <div className="review">
      <p>
        <Tag tone={review.verdict === "keep" ? "good" : "warn"}>{review.verdict}</Tag>{" "}
        by the decision agent ({review.reasoner})
        {review.abstain_reason && <>: no opinion, {words(review.abstain_reason)}</>}
      </p>
      {review.reasons.length > 0 && (
        <ul className="lines">{review.reasons.map((reason, i) => <li key={i}>{reason.text}</li>)}</ul>
      )}
      {review.dissent && <p><b>Dissent:</b> {review.dissent}</p>}
    </div>
  );
}
