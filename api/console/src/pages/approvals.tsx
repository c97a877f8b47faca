import { useState } from "react";
import { useResource } from "../api/live";
import { useSession } from "../api/session";
import type { Approval, Desk, Page } from "../api/types";
import { Empty, Failed, Loading } from "../parts/basics";
import { BulkBar } from "../parts/bulk";
import { QueueRow, SentSoonRow } from "../parts/queue_row";
import { selectProblem } from "../lib/bulk";
import { useDeskClock } from "../lib/clock";
import { useDraft } from "../lib/drafts";
import { QUEUE_ORDERS, sortQueue, type QueueOrder } from "../lib/queue";
import { whyNot } from "../lib/rights";
import { ApprovalDetail } from "./approval";

export function ApprovalsPage({ id, desk }: { id: string | null; desk: Desk | null }) {
  const { session } = useSession();
  const pending = useResource<Page<Approval>>("/approvals?status=pending&limit=200", ["approvals"]);
  const [saved, setOrder] = useDraft("queue-order", "rank");
  const order = QUEUE_ORDERS.find((name) => name === saved) ?? "rank";
  const [selecting, setSelecting] = useState(false);
  const [chosen, setChosen] = useState<ReadonlyMap<string, Approval>>(new Map());
  const queue = sortQueue(pending.data?.items ?? [], order);
  const next = queue.find((item) => item.id !== id)?.id ?? null;
  const now = useDeskClock(queue.some((item) => item.expires_wall));
  const several = queue.length > 1 && queue.every((item) => item.tier !== undefined) && whyNot(session, "decide") === null;

  function toggle(item: Approval) {
    const changed = new Map(chosen);
    if (!changed.delete(item.id)) changed.set(item.id, item);
    setChosen(changed);
  }
  function stop() {
    setSelecting(false);
    setChosen(new Map());
  }

  return (
    <div className={`split ${id ? "has-detail" : ""}`}>
      <section className="queue" aria-label="Approval queue">
        <header className="page-head">
          <h1 tabIndex={-1}>Approvals</h1>
          <label className="inline-field">
            Sort by{" "}
            <select value={order} onChange={(e) => setOrder(e.target.value as QueueOrder)} data-testid="queue-order">
              {QUEUE_ORDERS.map((name) => <option key={name} value={name}>{name}</option>)}
            </select>
          </label>
        </header>
        {(several || selecting) && (
          <BulkBar selecting={selecting} start={() => setSelecting(true)} stop={stop} chosen={chosen} queue={queue} />
        )}
        {pending.error ? <Failed error={pending.error} retry={pending.reload} /> : null}
        {!pending.data && pending.loading && <Loading what="the queue" />}
        {pending.data && queue.length === 0 && <QueueEmpty desk={desk} />}
        <ul className="queue-list">
          {queue.map((item) => (
            <QueueRow key={item.id} item={item} now={now} current={item.id === id}
              select={selecting ? {
                checked: chosen.has(item.id),
                problem: chosen.has(item.id) ? null : selectProblem(item, [...chosen.values()]),
                toggle: () => toggle(item),
              } : null} />
          ))}
        </ul>
        <SentSoon current={id} />
      </section>
      <div className="detail">
        {id
          ? <ApprovalDetail key={id} id={id} listed={queue.find((item) => item.id === id) ?? null} next={next} equity={desk?.equity ?? null}
              principal={desk?.principal ?? null} halted={(desk?.halts.length ?? 0) > 0} />
          : queue.length > 0 && <Empty>Choose a proposal to see its evidence.</Empty>}
      </div>
    </div>
  );
}

/** Approved and not sent yet: what another person can still refuse. */
function SentSoon({ current }: { current: string | null }) {
  const { data } = useResource<Page<Approval>>("/approvals?status=all&limit=100", ["approvals"]);
  const items = (data?.items ?? []).filter((item) => item.status === "approved" && item.case.state === "approved");
  if (items.length === 0) return null;
  return (
    <section className="sent-soon" aria-label="Approved, not sent yet">
      <h2>Approved, not sent yet</h2>
      <ul className="queue-list" data-testid="approved-list">
        {items.map((item) => <SentSoonRow key={item.id} item={item} current={item.id === current} />)}
      </ul>
    </section>
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
