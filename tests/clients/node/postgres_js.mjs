// postgres.js: describes a statement before it binds, pipelines, and cancels by a call on the query.
import postgres from "postgres";
import * as program from "./program.mjs";
import { asked, rows } from "./program.mjs";

const options = {
  ...program.place,
  ssl: program.tls,
  max: 1,
  connection: { application_name: "postgres.js" },
  types: { date: { to: 1082, from: [1082, 1114], serialize: String, parse: (text) => text } },
};
const sql = postgres(options);

async function connect() {
  const [{ who }] = await sql.unsafe(asked("who"));
  const other = postgres({ ...options, password: "wrong" });
  return `${who}, ${await program.refused(() => other.unsafe(asked("one")))}`;
}

/** Prepared statements are described first; simple ones are sent whole. */
async function text() {
  const told = new Set();
  for (const prepare of [false, true]) {
    const values = await sql.unsafe(asked("values"), [], { prepare });
    told.add(`${rows(values)} / ${rows(await sql.unsafe(asked("question"), [], { prepare }))}`);
  }
  return [...told].join(" or ");
}

async function parameters() {
  const literal = await sql.unsafe(asked("parameters"), program.PARAMETERS);
  return `${rows(literal)} / ${rows(await sql.unsafe(asked("bound"), program.BOUND))}`;
}

async function paging() {
  const numbers = [];
  for await (const page of sql.unsafe(asked("pages")).cursor(64)) {
    numbers.push(...page.map(({ i }) => Number(i)));
  }
  return program.summed(numbers);
}

async function failing(running) {
  try {
    await running;
  } catch (error) {
    const [{ one }] = await sql.unsafe(asked("one"));
    return `${error.code} ${one}`;
  }
  return "no error";
}

async function cancel() {
  const running = sql.unsafe(asked("slow"));
  const ended = failing(running);
  await new Promise((done) => setTimeout(done, 500));
  running.cancel();
  return ended;
}

async function reconnect() {
  const told = [];
  for (let again = 0; again < 3; again++) {
    const other = postgres(options);
    told.push((await other.unsafe(asked("one")))[0].one);
    await other.end();
  }
  return told.join(" ");
}

await program.tell(program.version("postgres"), {
  connect,
  list: async () => (await sql.unsafe(program.LIST)).map(({ name }) => name).join(" "),
  describe: async () => program.described(await sql.unsafe(program.DESCRIBE)),
  text,
  parameters,
  paging,
  cancel,
  error: () => failing(sql.unsafe(asked("wrong"))),
  reconnect,
});
await sql.end({ timeout: 1 });
process.exit(0);
