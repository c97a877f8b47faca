import { useState } from "react";
import { post, sayError } from "../api/client";
import { useLive, useResource } from "../api/live";
import type { Law, LawItem, Proposed } from "../api/law";
import { useSession } from "../api/session";
import { whyNot } from "../lib/rights";
import { link } from "../lib/router";
import { instant } from "../lib/time";
import { Failed, Id, Loading, Notice, Panel, Tag } from "./basics";

/** Limits and policy in force, the files of the home beside them, and the way to propose a file. */
export function LawPanel() {
  const { data, error, reload } = useResource<Law>("/law", ["policy", "approvals", "cases"]);
  if (error) return <Failed error={error} retry={reload} />;
  if (!data) return <Loading what="what is in force" />;
  return (
    <Panel title="In force" aside="a file is a candidate; people put it in force">
      <ul className="rows" data-testid="law">{data.items.map((item) => <LawRow key={item.kind} item={item} />)}</ul>
    </Panel>
  );
}

function LawRow({ item }: { item: LawItem }) {
  const { store } = useLive();
  const { session } = useSession();
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [made, setMade] = useState<Proposed | null>(null);
  const barred = whyNot(session, "run");
  const approval = item.pending_approval ?? made?.approval_id ?? null;

  async function propose() {
    if (!reason.trim()) return setProblem("Give a reason; it goes into the ledger with your name.");
    setBusy(true);
    setProblem("");
    try {
      setMade(await post<Proposed>("/changes", { kind: `${item.kind}.activation`, reason: reason.trim() }));
      setReason("");
    } catch (failed) {
      setProblem(sayError(failed));
    } finally {
      setBusy(false);
      store.touch(["approvals", "cases", "policy"]);
    }
  }

  return (
    <li data-testid={`law-${item.kind}`}>
      <p>
        <b>{item.kind}</b> version {item.version} <Id value={item.sha256} length={12} />{" "}
        <span className="muted">by {item.activated_by}, {instant(item.activated)}</span>{" "}
        {item.file.state === "same" && <Tag tone="good">the file is the same</Tag>}
        {item.file.state === "differs" && <Tag tone="warn">the file differs</Tag>}
        {item.file.state === "unusable" && <Tag tone="bad">the file cannot be used</Tag>}
      </p>
      {item.file.state === "unusable" && <p className="field-error">{item.file.message}</p>}
      {approval && <p>A change waits: <a href={link("approvals", approval)} data-testid="law-pending">read and decide it</a></p>}
      {!approval && item.file.state === "differs" && (
        <form onSubmit={(event) => { event.preventDefault(); void propose(); }} noValidate>
          <label className="field">
            Why this file should be in force
            <textarea rows={2} maxLength={2000} value={reason} data-testid="law-reason" onChange={(e) => { setReason(e.target.value); setProblem(""); }} />
          </label>
          <button type="submit" className="button" disabled={busy || barred !== null} title={barred ?? undefined} data-testid="law-propose">
            {busy ? "Proposing…" : "Propose the file of the home"}
          </button>
          {barred && <p className="barred">{barred}</p>}
        </form>
      )}
      {problem && <Notice tone="bad" testId="law-problem">{problem}</Notice>}
    </li>
  );
}
