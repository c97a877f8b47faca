import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { LiveProvider } from "./api/live";
import "./styles/index.css";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <LiveProvider>
      <App />
    </LiveProvider>
  </StrictMode>,
);
