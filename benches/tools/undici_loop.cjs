// What a plain Node program reaches that polls the same members: `undici_loop.cjs PORT PATH COUNT IN_FLIGHT`.
//
// Prints the requests per second. Needs the package undici (Debian: node-undici), at NODE_PATH.

const { Pool } = require("undici");

const [port, path, count, inFlight] = [process.argv[2], process.argv[3], Number(process.argv[4]), Number(process.argv[5])];
const query = "query getMemberConnections { getMemberConnections { id name category type integrationType isDirect status syncStatus syncErrors { coding { code } } } }";

async function main() {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: inFlight, pipelining: 1 });
  let next = 0;
  let rows = 0;
  async function poll() {
    while (next < count) {
      const member = next++;
      const { statusCode, body } = await pool.request({
        path,
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer e30.e30.${member}` },
        body: JSON.stringify({ query, operationName: "getMemberConnections", variables: {} }),
      });
      const response = await body.json();
      if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
      rows += response.data.getMemberConnections.length;
    }
  }
  const started = process.hrtime.bigint();
  await Promise.all(Array.from({ length: inFlight }, poll));
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  if (rows !== 4 * count) throw new Error(`${rows} rows of ${4 * count}`);
  console.log(count / seconds);
  await pool.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
