// What both programs share: where the server is, what to ask, and how to tell what came.
import { readFileSync } from "node:fs";

const told = process.env;
export const place = {
  host: told.WAYLINE_HOST,
  port: Number(told.WAYLINE_PORT),
  database: told.WAYLINE_DATABASE,
  user: told.WAYLINE_USER,
  password: told.WAYLINE_PASSWORD,
};
export const tls = { ca: readFileSync(told.WAYLINE_CA) };
export const PARAMETERS = ["hé", 42, 0.5, true, "2024-02-29", null];
export const BOUND = ["email", "2026-02-01"];
export const LIST = `SELECT table_name AS name FROM information_schema.tables
  WHERE table_schema = 'public' ORDER BY table_name`;
export const DESCRIBE = `SELECT column_name AS name, data_type AS type FROM information_schema.columns
  WHERE table_schema = 'public' AND table_name = 'crm' ORDER BY ordinal_position`;

export function version(name) {
  return JSON.parse(readFileSync(new URL("package.json", import.meta.url))).dependencies[name];
}

export function asked(name) {
  return told[`ASK_${name.toUpperCase()}`].replace(/\{(\d)\}/g, "$$$1");
}

function shown(value) {
  if (value === null) return "NULL";
  if (value instanceof Date) return value.toISOString().replace("T", " ").replace(/\.000Z$/, "");
  return String(value);
}

export function rows(answer) {
  return answer.map((row) => Object.values(row).map(shown).join("|")).join(" / ");
}

export function described(columns) {
  return columns.map(({ name, type }) => `${name} ${type}`).join(", ");
}

export function summed(numbers) {
  return `${numbers.length} ${numbers.reduce((sum, each) => sum + each, 0)}`;
}

export async function refused(connecting) {
  try {
    await connecting();
  } catch (error) {
    return error.code === "28P01" ? "refused" : String(error);
  }
  return "let in";
}

export async function tell(version, steps) {
  console.log(`version\t\t${version}`);
  for (const [name, step] of Object.entries(steps)) {
    try {
      console.log(`ok\t${name}\t${await step()}`);
    } catch (error) {
      console.error(error);
      console.log(`error\t${name}\t${String(error).replace(/\s+/g, " ")}`);
    }
  }
}
