import { useState } from "react";
import { post, sayError } from "../api/client";
import type { Stress, WhatIf } from "../api/risk";
import { money, percent, sharePercent, signedMoney, words } from "../lib/format";
import { Notice, Tag } from "./basics";
import { WhatIfTable } from "./what_if";

export function StressTable({ items }: { items: readonly Stress[] }) {
  return (
    <div className="scroll">
      <table data-testid="stress-table" className="stacked">
        <thead>
          <tr><th>Scenario</th><th className="num">Index</th><th className="num">Change</th><th className="num">Loss, of equity</th><th>Would cross</th><th>Moves taken from</th></tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.scenario.id}>
              <td>{item.scenario.name} {item.scenario.hindsight && <Tag>after the desk's clock</Tag>}</td>
              <td className="num" data-label="Index">{percent(item.scenario.market_move, 1, true)}</td>
              <td className="num" data-label="Change">{signedMoney(item.change, 0)}</td>
              <td className="num" data-label="Loss, of equity">{sharePercent(item.loss_share)}</td>
              <td data-label="Would cross"><span><Crossed item={item} /></span></td>
              <td className="muted" data-label="Moves taken from">{usedBy(item)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Crossed({ item }: { item: Stress }) {
  const crossed = item.crossings.filter((one) => one.crossed);
  if (crossed.length === 0) return <span className="muted">no limit</span>;
  return <>{crossed.map((one) => <Tag key={one.limit} tone="bad">{words(one.limit.replace("max_", ""))} {sharePercent(one.maximum, 0)}</Tag>)}</>;
}

function usedBy(item: Stress): string {
  const counts = new Map<string, number>();
  item.positions.forEach((p) => counts.set(p.used, (counts.get(p.used) ?? 0) + 1));
  return [...counts].map(([used, n]) => `${n} by ${words(used.replace("assumed_beta", "beta of one"))}`).join(", ") || "no positions";
}

function Moves({ item }: { item: Stress }) {
  const worst = [...item.positions].sort((a, b) => Number(a.change) - Number(b.change));
  return (
    <details>
      <summary>Each position ({worst.length})</summary>
      <div className="scroll">
        <table>
          <thead><tr><th>Symbol</th><th className="num">Value</th><th className="num">Move</th><th className="num">Change</th><th>By</th><th>Source</th></tr></thead>
          <tbody>
            {worst.map((p) => (
              <tr key={p.symbol}>
                <td><b className="symbol">{p.symbol}</b></td>
                <td className="num">{money(p.value, 0)}</td>
                <td className="num">{percent(p.move, 1, true)}</td>
                <td className="num">{signedMoney(p.change, 0)}</td>
                <td>{words(p.used)}{p.beta !== null && <span className="muted"> {p.beta.toFixed(2)}</span>}</td>
                <td className="muted">{p.source}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

export function StressMoves({ items }: { items: readonly Stress[] }) {
  return <>{items.map((item) => <div key={item.scenario.id}><h3 className="table-title">{item.scenario.name}</h3><Moves item={item} /></div>)}</>;
}

/** Put the book through moves of one's own, such as "market=-10%, Energy=-20%". Nothing is kept. */
export function StressForm() {
  const [text, setText] = useState("market=-10%");
  const [found, setFound] = useState<Stress | null>(null);
  const [problem, setProblem] = useState("");

  async function run() {
    setProblem("");
    try {
      setFound(await post<Stress>("/risk/stress", { text }));
    } catch (error) {
      setProblem(sayError(error));
    }
  }

  return (
    <>
      <form className="try" onSubmit={(event) => { event.preventDefault(); void run(); }} noValidate>
        <label className="field" htmlFor="stress-text">
          Your own moves
          <input id="stress-text" data-testid="stress-text" value={text} maxLength={2000} onChange={(e) => setText(e.target.value)} />
        </label>
        <button type="submit" className="button" data-testid="stress-run">Put the book through it</button>
      </form>
      <p className="foot">A move of the market reaches each name times its beta; a sector's or a name's own move is taken as it is. Nothing is kept or sent.</p>
      {problem && <Notice tone="bad">{problem}</Notice>}
      {found && <><StressTable items={[found]} /><Moves item={found} /></>}
    </>
  );
}

/** See what an order at the last close would do to the book. Nothing is proposed and nothing is sent. */
export function WhatIfForm() {
  const [side, setSide] = useState<"buy" | "sell">("buy");
  const [quantity, setQuantity] = useState("100");
  const [symbol, setSymbol] = useState("");
  const [found, setFound] = useState<WhatIf | null>(null);
  const [problem, setProblem] = useState("");

  async function run() {
    setProblem("");
    if (!/^\d+$/.test(quantity) || Number(quantity) < 1 || !symbol.trim()) {
      setProblem("Give whole shares and a symbol.");
      return;
    }
    try {
      setFound(await post<WhatIf>("/risk/what-if", { side, quantity: Number(quantity), symbol: symbol.trim().toUpperCase() }));
    } catch (error) {
      setProblem(sayError(error));
    }
  }

  return (
    <>
      <form className="try" onSubmit={(event) => { event.preventDefault(); void run(); }} noValidate>
        <label className="field narrow-field" htmlFor="try-side">
          Side
          <select id="try-side" value={side} onChange={(e) => setSide(e.target.value === "sell" ? "sell" : "buy")}>
            <option value="buy">Buy</option><option value="sell">Sell</option>
          </select>
        </label>
        <label className="field narrow-field" htmlFor="try-quantity">
          Shares
          <input id="try-quantity" inputMode="numeric" value={quantity} onChange={(e) => setQuantity(e.target.value)} />
        </label>
        <label className="field" htmlFor="try-symbol">
          Symbol
          <input id="try-symbol" data-testid="try-symbol" value={symbol} maxLength={10} onChange={(e) => setSymbol(e.target.value)} />
        </label>
        <button type="submit" className="button" data-testid="try-run">Try it</button>
      </form>
      <p className="foot">At the last close, without a stop. Nothing is proposed and nothing is sent.</p>
      {problem && <Notice tone="bad">{problem}</Notice>}
      {found && <WhatIfTable found={found} />}
    </>
  );
}
