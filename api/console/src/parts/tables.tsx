import type { Fill, Order, Position } from "../api/types";
import { decimal, isNegative, money, signedMoney, words } from "../lib/format";
import { link } from "../lib/router";
import { day } from "../lib/time";
import { Empty, SideWord, State } from "./basics";

function sign(value: string): string {
  return isNegative(value) ? "num down" : Number(value) === 0 ? "num" : "num up";
}

export function PositionsTable({ items }: { items: readonly Position[] }) {
  if (items.length === 0) return <Empty>No open positions. Approve a proposal, then play the next session.</Empty>;
  return (
    <div className="scroll">
      <table data-testid="positions-table" className="positions">
        <thead>
          <tr>
            <th>Symbol</th><th className="num">Shares</th><th className="num phone-hide">Average</th><th className="num">Mark</th>
            <th className="num">Value</th><th className="num">Unrealised</th><th className="num">Stop</th>
            <th className="wide-only">Sector</th><th className="wide-only">Strategy</th>
          </tr>
        </thead>
        <tbody>
          {items.map((p) => (
            <tr key={p.symbol} data-symbol={p.symbol}>
              <td>{p.case_id ? <a className="symbol" href={link("cases", p.case_id)}>{p.symbol}</a> : <b className="symbol">{p.symbol}</b>}</td>
              <td className="num">{decimal(String(p.quantity), 0)}</td>
              <td className="num phone-hide">{money(p.average_price)}</td>
              <td className="num">{money(p.mark)}</td>
              <td className="num">{money(p.market_value, 0)}</td>
              <td className={sign(p.unrealised)}>{signedMoney(p.unrealised, 0)}</td>
              <td className="num">{money(p.stop_price)}</td>
              <td className="wide-only">{p.sector}</td>
              <td className="wide-only">{words(p.strategy)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function OrdersTable({ items }: { items: readonly Order[] }) {
  if (items.length === 0) return <Empty>No order was sent.</Empty>;
  return (
    <div className="scroll">
      <table data-testid="orders-table">
        <thead>
          <tr>
            <th>Leg</th><th>Side</th><th className="num">Shares</th><th className="num">Filled</th><th className="num">Average</th>
            <th className="num">Stop</th><th>State</th><th>Order id</th>
          </tr>
        </thead>
        <tbody>
          {items.map((o) => (
            <tr key={o.client_order_id}>
              <td>{words(o.leg)}</td>
              <td><SideWord side={o.side} /></td>
              <td className="num">{decimal(String(o.quantity), 0)}</td>
              <td className="num">{decimal(String(o.filled_quantity), 0)}</td>
              <td className="num">{money(o.average_price)}</td>
              <td className="num">{money(o.stop_price)}</td>
              <td><State state={o.state} />{o.reason && <span className="muted"> {o.reason}</span>}</td>
              <td><code>{o.client_order_id}</code></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function FillsTable({ items }: { items: readonly Fill[] }) {
  if (items.length === 0) return <Empty>Nothing was filled.</Empty>;
  return (
    <div className="scroll">
      <table data-testid="fills-table">
        <thead>
          <tr>
            <th>Session</th><th>Side</th><th className="num">Shares</th><th className="num">Price</th>
            <th className="num">Commission</th><th className="num">Slippage</th><th>Execution id</th>
          </tr>
        </thead>
        <tbody>
          {items.map((f) => (
            <tr key={f.execution_id}>
              <td className="nowrap">{day(f.session)}</td>
              <td><SideWord side={f.side} /></td>
              <td className="num">{decimal(String(f.quantity), 0)}</td>
              <td className="num">{money(f.price)}</td>
              <td className="num">{money(f.commission)}</td>
              <td className="num">{money(f.slippage)}</td>
              <td><code>{f.execution_id}</code></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
