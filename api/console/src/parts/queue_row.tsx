import type { Approval } from "../api/types";
import { words } from "../lib/format";
import { expiryOf, missingWords } from "../lib/queue";
import { link } from "../lib/router";
import { Tag } from "./basics";
import { CaseFigures, caseSubject } from "./change";
import { TierTag } from "./tier";

export interface Select {
  checked: boolean;
  problem: string | null;
  toggle: () => void;
}

export function QueueRow({ item, now, current, select }: { item: Approval; now: number; current: boolean; select: Select | null }) {
  const p = item.case.proposal;
  const expiry = expiryOf(item, now);
  const level = item.escalation_level ?? 0;
  const modern = item.tier !== undefined;
  return (
    <li className={select ? "with-check" : undefined}>
      {select && (
        <input type="checkbox" checked={select.checked} disabled={select.problem !== null} title={select.problem ?? undefined}
          aria-label={`Select ${item.case.symbol}${select.problem ? `. ${select.problem}` : ""}`} data-testid="bulk-check" onChange={select.toggle} />
      )}
      <a href={link("approvals", item.id)} className="queue-row" data-testid="approval-row" data-approval={item.id}
        data-symbol={item.case.symbol} aria-current={current ? "true" : undefined}>
        <span className="queue-top">
          <b className="symbol">{caseSubject(item.case)}</b>
          <CaseFigures item={item.case} />
        </span>
        <span className="queue-sub">
          <span>{item.case.rank !== null && `#${item.case.rank + 1} `}{words(item.case.strategy)}</span>
          {!modern && p?.taint && <Tag tone="warn">tainted</Tag>}
          {!modern && item.required > 1 && <Tag>{item.given} of {item.required}</Tag>}
          <span className={`push clock ${expiry.urgent ? "urgent" : ""}`}>{expiry.text}</span>
        </span>
        {modern && (
          <span className="queue-tags">
            <TierTag tier={item.tier} />
            {p?.taint && <Tag tone="warn">tainted</Tag>}
            {item.disposition === "advise" && <Tag>advice only</Tag>}
            {item.edited_by && <Tag>edited</Tag>}
            {level > 0 && <Tag tone="bad">escalated {level}</Tag>}
            {item.acknowledged_by && <Tag tone="good">seen by {item.acknowledged_by}</Tag>}
          </span>
        )}
        {modern && <span className="queue-missing">{signedWords(item)}to sign: {missingWords(item) ?? "nobody"}</span>}
        {item.may_sign === false && <span className="queue-missing">You may not sign: {item.may_not_because ?? "the desk did not say why"}</span>}
      </a>
    </li>
  );
}

function signedWords(item: Approval): string {
  return item.required > 1 ? `${item.given} of ${item.required} signed, ` : "";
}

export function SentSoonRow({ item, current }: { item: Approval; current: boolean }) {
  const signers = [...new Set((item.signed ?? []).map((s) => s.principal))];
  return (
    <li>
      <a href={link("approvals", item.id)} className="queue-row" data-testid="approved-row" data-approval={item.id} data-symbol={item.case.symbol}
        aria-current={current ? "true" : undefined}>
        <span className="queue-top">
          <b className="symbol">{caseSubject(item.case)}</b>
          <CaseFigures item={item.case} />
        </span>
        <span className="queue-missing">{signers.length ? `Approved by ${signers.join(", ")}` : "Approved"}; can still be refused</span>
      </a>
    </li>
  );
}
