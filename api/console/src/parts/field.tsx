/** One line to type in, with what is wrong about it below. */
export function Field({ id, label, value, change, mode, problem }: {
  id: string;
  label: string;
  value: string;
  change: (text: string) => void;
  mode: "text" | "numeric" | "decimal";
  problem: string | null;
}) {
  return (
    <label className="field" htmlFor={id}>
      {label}
      <input id={id} data-testid={id} value={value} inputMode={mode} autoComplete="off" maxLength={16} aria-invalid={problem !== null}
        aria-describedby={`${id}-note`} onChange={(e) => change(e.target.value)} />
      <span className="field-note" id={`${id}-note`}>{problem}</span>
    </label>
  );
}
