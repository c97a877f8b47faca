import { useState } from "react";
import { useResource } from "../api/live";
import type { Approval, Desk, Page } from "../api/types";
import { Empty, Failed, Loading, SideWord, Tag } from "../parts/basics";
import { decimal, money, words } from "../lib/format";
import { notional, sortQueue, type QueueOrder } from "../lib/queue";
import { link } from "../lib/router";
import { countdown } from "../lib/time";
import { ApprovalDetail } from "./approval";

export function ApprovalsPage({ id, desk }: { id: string | null; desk: Desk | null }) {
  const pending = useResource<Page<Approval>>("/approvals?status=pending&limit=200", ["approvals"]);
  const [order, setOrder] = useState<QueueOrder>("rank");
  const queue = sortQueue(pending.data?.items ?? [], order);
  const next = queue.find((item) => item.id !== id)?.id ?? null;

  return (
    <div className={`split ${id ? "has-detail" : ""}`}>
      <section className="queue" aria-label="Approval queue">
        <header className="page-head">
          <h1 tabIndex={-1}>Approvals</h1>
          <label className="inline-field">
            Sort by{" "}
            <select value={order} onChange={(e) => setOrder(e.target.value as QueueOrder)} data-testid="queue-order">
              <option value="rank">rank</option>
              <option value="impact">impact</option>
              <option value="expiry">expiry</option>
            </select>
          </label>
        </header>
        {pending.error ? <Failed error={pending.error} retry={pending.reload} /> : null}
        {!pending.data && pending.loading && <Loading what="the queue" />}
        {pending.data && queue.length === 0 && <QueueEmpty desk={desk} />}
        <ul className="queue-list">
          {queue.map((item) => <QueueRow key={item.id} item={item} current={item.id === id} />)}
        </ul>
      </section>
      <div className="detail">
        {id
          ? <ApprovalDetail key={id} id={id} listed={queue.find((item) => item.id === id) ?? null} next={next} equity={desk?.equity ?? null} />
          : queue.length > 0 && <Empty>Choose a proposal to see its evidence.</Empty>}
      </div>
    </div>
  );
}

function QueueRow({ item, current }: { item: Approval; current: boolean }) {
  const p = item.case.proposal;
  return (
    <li>
      <a href={link("approvals", item.id)} className="queue-row" data-testid="approval-row" data-approval={item.id}
        data-symbol={p.symbol} aria-current={current ? "true" : undefined}>
        <span className="queue-top">
          <b className="symbol">{p.symbol}</b>
          <SideWord side={p.side} />
          <span className="num">{decimal(String(p.quantity), 0)}</span>
          <span className="num push">{money(notional(p), 0)}</span>
        </span>
        <span className="queue-sub">
          <span>{item.case.rank !== null && `#${item.case.rank + 1} `}{words(item.case.strategy)}</span>
          {p.taint && <Tag tone="warn">tainted</Tag>}
          {item.required > 1 && <Tag>{item.given} of {item.required}</Tag>}
          <span className={`push ${item.sessions_left <= 1 ? "urgent" : ""}`}>{countdown(item.sessions_left)}</span>
        </span>
      </a>
    </li>
  );
}

function QueueEmpty({ desk }: { desk: Desk | null }) {
  return (
    <Empty>
      Nothing waits for a person.
      {desk?.mode === "replay" && desk.stage !== "finished" && " Play the next session to see new proposals."}
    </Empty>
  );
}
