// A P4Runtime client in another language: Node with @grpc/grpc-js, messages from the .proto files at run time.
// In: the server's address, the folder of the .proto files, the node_modules, the ids of l2, drop and to_cpu as
// JSON, the .proto of virtual time. Out, on stdout: "listening" when packets and time may come, then one JSON object of what it saw.
"use strict";
const [, , address, protos, modules, idsText, simulation] = process.argv;
const grpc = require(`${modules}/@grpc/grpc-js`);
const loader = require(`${modules}/@grpc/proto-loader`);
const ids = JSON.parse(idsText);

const definition = loader.loadSync("p4/v1/p4runtime.proto", { includeDirs: [protos], keepCase: true, defaults: true, longs: Number, enums: String, oneofs: true });
const p4 = grpc.loadPackageDefinition(definition).p4.v1;
const { Simulation } = grpc.loadPackageDefinition(loader.loadSync(simulation, { longs: Number })).p4nic.sim.v1;
const clock = new Simulation(address, grpc.credentials.createInsecure());
const advance = (seconds) =>
  new Promise((resolve, reject) => clock.Advance({ seconds }, (error, now) => (error ? reject(error) : resolve(now.seconds))));
const client = new p4.P4Runtime(address, grpc.credentials.createInsecure());
const call = (method, request) =>
  new Promise((resolve) => client[method](request, (error, answer) => resolve(error ? { code: error.code, details: error.details } : answer)));
const read = (entities) =>
  new Promise((resolve, reject) => {
    const found = [];
    const stream = client.Read({ device_id: 1, entities });
    stream.on("data", (answer) => found.push(...answer.entities));
    stream.on("end", () => resolve(found));
    stream.on("error", reject);
  });
const election = { high: 0, low: 1 };
const entry = (dst, action, more = {}) => ({
  table_entry: { table_id: ids.l2, match: [{ field_id: 1, exact: { value: Buffer.from([dst]) } }], action: { action }, ...more },
});
const write = (type, ...entities) =>
  call("Write", { device_id: 1, election_id: election, updates: entities.map((entity) => ({ type, entity })) });

async function main() {
  const seen = {};
  const received = [];
  let wake = () => {};
  const stream = client.StreamChannel();
  stream.on("data", (message) => { received.push(message); wake(); });
  stream.on("error", (error) => { if (error.code !== grpc.status.CANCELLED) throw error; });
  const next = async (kind) => {
    for (;;) {
      const at = received.findIndex((message) => message.update === kind);
      if (at >= 0) return received.splice(at, 1)[0][kind];
      await new Promise((resolve) => { wake = resolve; });
    }
  };
  seen.version = (await call("Capabilities", {})).p4runtime_api_version;
  stream.write({ arbitration: { device_id: 1, election_id: election } });
  seen.primary = (await next("arbitration")).status.code;
  const drop = { action_id: ids.drop };
  await write("INSERT", entry(1, drop, { metadata: Buffer.from("node") }));
  seen.twice = await write("INSERT", entry(1, drop), entry(2, drop));
  seen.read = (await read([{ table_entry: { table_id: ids.l2 } }])).map((e) => [e.table_entry.match[0].exact.value[0], e.table_entry.metadata.toString()]);
  await write("DELETE", entry(1, drop));
  const toCpu = { action_id: ids.to_cpu, params: [{ param_id: 1, value: Buffer.from([9]) }] };
  await write("INSERT", entry(0xaa, toCpu, { idle_timeout_ns: 5000000000 }));
  console.log("listening");
  const packet = await next("packet");
  seen.packet = [packet.payload.toString("hex"), packet.metadata.map((m) => m.value[0])];
  seen.now = await advance(5);
  const idle = await next("idle_timeout_notification");
  seen.idle = idle.table_entry.map((e) => e.match[0].exact.value[0]);
  stream.write({ packet: { payload: Buffer.from("x"), metadata: [] } });
  seen.error = (await next("error")).canonical_code;
  stream.end();
  client.close();
  clock.close();
  console.log(JSON.stringify(seen));
}

main().catch((error) => { console.error(error); process.exit(1); });
