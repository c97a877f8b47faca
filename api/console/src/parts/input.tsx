/** A labelled one-line field. */
export function Input({ label, value, change, testId, type = "text", note, readOnly = false, autoComplete = "off" }: {
  label: string;
  value: string;
  change: (text: string) => void;
  testId: string;
  type?: "text" | "password" | "datetime-local";
  note?: string;
  readOnly?: boolean;
  autoComplete?: string;
}) {
  return (
    <label className="field">
      {label}
      <input type={type} value={value} readOnly={readOnly} autoComplete={autoComplete} autoCapitalize="none" spellCheck={false} maxLength={1024}
        data-testid={testId} onChange={(e) => change(e.target.value)} />
      {note && <small className="muted">{note}</small>}
    </label>
  );
}
