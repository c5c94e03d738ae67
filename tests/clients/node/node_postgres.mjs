// node-postgres (pg) with its cursors: Grafana's plugins, Metabase's tools and most of Node.js connect so.
import pg from "pg";
import Cursor from "pg-cursor";
import * as program from "./program.mjs";
import { asked, rows } from "./program.mjs";

const DATE = 1082;
const TIMESTAMP = 1114;
const DAY = 86_400_000;
const MILLENNIUM = Date.UTC(2000, 0, 1);
const SPELLED = { [DATE]: (text) => text, [TIMESTAMP]: (text) => text };
const BINARY = {
  [DATE]: (bytes) => new Date(MILLENNIUM + bytes.readInt32BE() * DAY).toISOString().slice(0, 10),
  [TIMESTAMP]: (bytes) => new Date(MILLENNIUM + Number(bytes.readBigInt64BE() / 1000n)),
  1700: (bytes) => Number(pg.types.getTypeParser(1700, "binary")(bytes)),
};
const types = {
  getTypeParser: (oid, format) =>
    (format === "binary" ? BINARY : SPELLED)[oid] ?? pg.types.getTypeParser(oid, format),
};

async function connected(password = program.place.password) {
  const made = new pg.Client({ ...program.place, password, ssl: program.tls, types });
  await made.connect();
  return made;
}

const client = await connected();

async function fetched(text, values, binary = false) {
  return (await client.query({ text, values, binary })).rows;
}

async function connect() {
  const [{ who }] = await fetched(asked("who"));
  return `${who}, ${await program.refused(() => connected("wrong"))}`;
}

async function read(binary) {
  const values = await fetched(asked("values"), [], binary);
  return `${rows(values)} / ${rows(await fetched(asked("question"), [], binary))}`;
}

async function parameters() {
  const literal = await fetched(asked("parameters"), program.PARAMETERS);
  return `${rows(literal)} / ${rows(await fetched(asked("bound"), program.BOUND))}`;
}

async function paging() {
  const cursor = client.query(new Cursor(asked("pages")));
  const numbers = [];
  for (let page = await cursor.read(64); page.length > 0; page = await cursor.read(64)) {
    numbers.push(...page.map(({ i }) => Number(i)));
  }
  await cursor.close();
  return program.summed(numbers);
}

async function failing(text, running = () => {}) {
  const query = new pg.Query(text);
  const ended = new Promise((done) => query.on("error", done).on("end", () => done({ code: "no error" })));
  client.query(query);
  running(query);
  const { code } = await ended;
  const [{ one }] = await fetched(asked("one"));
  return `${code} ${one}`;
}

/** A client of its own carries the request, without encryption, and is closed by the server. */
function cancel() {
  const other = new pg.Client({ ...program.place, ssl: program.tls });
  other.connection.on("error", () => {});
  return failing(asked("slow"), (query) => setTimeout(() => other.cancel(client, query), 500));
}

async function reconnect() {
  const pool = new pg.Pool({ ...program.place, ssl: program.tls, max: 1, maxUses: 1 });
  const told = [];
  for (let again = 0; again < 3; again++) told.push((await pool.query(asked("one"))).rows[0].one);
  await pool.end();
  return told.join(" ");
}

await program.tell(program.version("pg"), {
  connect,
  list: async () => (await fetched(program.LIST)).map(({ name }) => name).join(" "),
  describe: async () => program.described(await fetched(program.DESCRIBE)),
  text: () => read(false),
  binary: () => read(true),
  parameters,
  paging,
  cancel,
  error: () => failing(asked("wrong")),
  reconnect,
});
await client.end();
