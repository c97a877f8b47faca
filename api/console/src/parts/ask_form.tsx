import { useState } from "react";
import { useDraft } from "../lib/drafts";
import type { FormProps } from "./decide_form";

/** Ask the agent about this proposal. The answer joins the case; nothing is decided and the clock keeps running. */
export function AskForm({ approval, sending, blocked, answer, barred }: Omit<FormProps, "reason" | "setReason"> & { barred: string | null }) {
  const [question, setQuestion, clear] = useDraft(`${approval.id}.question`);
  const [problem, setProblem] = useState("");

  async function send() {
    if (!question.trim()) {
      setProblem("Type a question.");
      document.getElementById("case-question")?.focus();
      return;
    }
    if (await answer({ decision: "respond", reason: question.trim() })) clear();
  }

  return (
    <form onSubmit={(event) => event.preventDefault()} noValidate data-testid="ask-form">
      <label className="field" htmlFor="case-question">
        Question to the agent
        <textarea id="case-question" data-testid="case-question" rows={3} maxLength={2000} value={question} aria-invalid={problem !== ""}
          aria-describedby="case-question-help" placeholder="What speaks against it? What would the stop lose?"
          onChange={(e) => { setQuestion(e.target.value); setProblem(""); }} />
      </label>
      {problem && <p className="field-error" role="alert">{problem}</p>}
      <p className="foot" id="case-question-help">The answer joins the case for everybody. Nothing is decided, and the time left keeps running.</p>
      <div className="decision-actions">
        <button type="button" className="button primary" data-testid="case-ask" disabled={sending !== null || blocked || barred !== null}
          aria-describedby={barred ? "ask-barred" : undefined} onClick={() => void send()}>
          {sending === "respond" ? "Asking…" : "Ask"}
        </button>
      </div>
      {barred && <p className="barred" id="ask-barred">{barred}</p>}
    </form>
  );
}
