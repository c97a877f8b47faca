import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const desk = "127.0.0.1:8000";

export default defineConfig({
  base: "/",
  plugins: [react()],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    sourcemap: false,
    assetsInlineLimit: 0,
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": { target: `http://${desk}`, ws: true, headers: { host: desk, origin: `http://${desk}` } } },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
