import type { Trouble } from "../api/types";
import { Notice } from "./basics";

/** What keeps the desk from its work: a sentence each, with what to do about it. */
export function Troubles({ troubles }: { troubles: Trouble[] }) {
  return (
    <div data-testid="troubles">
      {troubles.map((trouble) => (
        <Notice key={trouble.code} tone={trouble.code === "no_stream" ? "warn" : "bad"} title={trouble.message} testId={`trouble-${trouble.code}`}>
          {trouble.remedy}
        </Notice>
      ))}
    </div>
  );
}
