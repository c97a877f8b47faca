import type { ControlUse } from "../api/risk";
import { NONE, decimal, percent, words } from "../lib/format";
import { Tag } from "./basics";
import { quantityOf } from "./checks";

/** Every control: the rule it answers to, its limit, and how much of it is used at the last close. */
export function ControlsTable({ items }: { items: readonly ControlUse[] }) {
  return (
    <div className="table-wrap">
      <table data-testid="controls">
        <thead>
          <tr><th>Control</th><th>Rule</th><th className="num">Limit</th><th className="num">Used</th><th>Measured on</th></tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.control}>
              <td>{words(item.control).replace(/\badv\b/i, "ADV")} {!item.hard && <Tag tone="plain">soft</Tag>}</td>
              <td className="muted">{item.rule}</td>
              <td className="num">{limitOf(item)}</td>
              <td className="num">{useOf(item)}</td>
              <td className="muted">{item.basis === "book" ? "the book" : "orders of the last close"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function limitOf(item: ControlUse): string {
  if (item.unit === "flag") return "must not be";
  if (item.limit === null) return "by the order";
  if (item.unit === "price") return `${decimal(item.limit, 1)} ATR`;
  return quantityOf(item.limit, item.unit);
}

function useOf(item: ControlUse): string {
  if (item.use === null) return NONE;
  if (item.unit === "flag") return Number(item.use) ? "raised" : "clear";
  return percent(Number(item.use), 0);
}
