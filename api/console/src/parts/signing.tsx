import { useState } from "react";
import { post } from "../api/client";
import { useLive } from "../api/live";
import type { Approval } from "../api/types";
import { useDeskClock } from "../lib/clock";
import { useDraft } from "../lib/drafts";
import { barredNames, expiryOf, missingWords } from "../lib/queue";
import { pastOf } from "../lib/refusals";
import { wallTime } from "../lib/time";
import { Facts, Notice, Tag } from "./basics";
import { problemOf, type Problem } from "./decision_notes";

/** Who has signed, who else must, how long it stands, and the two things that can be done about time. */
export function Signing({ approval, barred }: { approval: Approval; barred: string | null }) {
  const now = useDeskClock(!!approval.expires_wall);
  const expiry = expiryOf(approval, now);
  const missing = missingWords(approval);
  const others = barredNames(approval);
  const level = approval.escalation_level ?? 0;
  return (
    <div className="signing" data-testid="signing">
      <Facts
        rows={[
          ["Signed", approval.signed?.length
            ? <ul data-testid="signed">{approval.signed.map((s) => <li key={s.principal}>{s.principal} {pastOf(s.decision)}{s.on_behalf_of && ` for ${s.on_behalf_of}`} {wallTime(s.at)}</li>)}</ul>
            : "nobody yet"],
          ["Still to sign", <span data-testid="missing">{missing ?? "nobody"}{missing && others.length > 0 && `; not ${others.join(", ")}`}</span>],
          ["Time left", <span className={`clock ${expiry.urgent ? "urgent" : ""}`} data-testid="time-left">{expiry.text}</span>],
          ["Attention", <>
            {level > 0 && <><Tag tone="bad">escalated, level {level}</Tag>{" "}</>}
            {approval.acknowledged_by ? <span data-testid="acknowledged">seen by {approval.acknowledged_by}</span> : "not acknowledged"}
          </>],
        ]}
      />
      <TimeActions approval={approval} barred={barred} />
    </div>
  );
}

function TimeActions({ approval, barred }: { approval: Approval; barred: string | null }) {
  const { store } = useLive();
  const [extending, setExtending] = useState(false);
  const [reason, setReason, clear] = useDraft(`${approval.id}.extend`);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);

  async function act(what: "extend" | "acknowledge") {
    if (what === "extend" && !reason.trim()) return setProblem({ kind: "other", text: "Say why it needs more time." });
    setBusy(true);
    setProblem(null);
    try {
      await post<Approval>(`/approvals/${encodeURIComponent(approval.id)}/${what}`, what === "extend" ? { reason: reason.trim() } : {});
      if (what === "extend") {
        clear();
        setExtending(false);
      }
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setBusy(false);
      store.touch(["approvals"]);
    }
  }

  const off = busy || barred !== null;
  return (
    <>
      <div className="row-actions">
        {!approval.acknowledged_by && (
          <button type="button" className="button small" data-testid="acknowledge" disabled={off} title={barred ?? undefined}
            onClick={() => void act("acknowledge")}>Acknowledge</button>
        )}
        {approval.expires_wall && (
          <button type="button" className="button small" data-testid="extend-open" disabled={off} title={barred ?? undefined}
            aria-expanded={extending} onClick={() => setExtending(!extending)}>Extend…</button>
        )}
      </div>
      {extending && (
        <form className="inline-form" onSubmit={(event) => { event.preventDefault(); void act("extend"); }} noValidate>
          <label className="field grow" htmlFor="extend-reason">
            Why it needs more time
            <input id="extend-reason" data-testid="extend-reason" value={reason} maxLength={500} autoComplete="off" onChange={(e) => setReason(e.target.value)} />
          </label>
          <button type="submit" className="button" data-testid="extend-send" disabled={off}>Extend</button>
        </form>
      )}
      <div aria-live="polite">
        {problem && (
          <Notice tone="bad" testId="time-problem">
            {problem.kind === "refused" && problem.sentence ? `${problem.sentence} ` : ""}{problem.text}
          </Notice>
        )}
      </div>
    </>
  );
}
