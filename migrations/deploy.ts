// Opens the market on a cluster where the program is deployed. Running it again changes nothing.
//
//   anchor migrate                          after `npm ci` in this folder; see docs/devnet.md
//   node migrations/deploy.ts --url URL --keypair FILE [--params local|public]
//
// The types are in comments, so that Node.js runs the file as it is and ts-node accepts it too. Everything about the
// program (address, accounts, discriminator, argument layout) comes from idl/assay.json.

const { readFileSync } = require("node:fs");
const { homedir } = require("node:os");
const { join } = require("node:path");
const { parseArgs } = require("node:util");
const anchor = require("@anchor-lang/core");

const ROOT = join(__dirname, "..");
const LOADER = new anchor.web3.PublicKey("BPFLoaderUpgradeab1e11111111111111111111111");
/** Tag, slot and option byte come before the key in ProgramData. */
const AUTHORITY_OFFSET = 13;
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

/** Failures that a person can act on; shown without a stack. */
class Refusal extends Error {}

/**
 * What `anchor migrate` calls.
 * @param {import("@anchor-lang/core").AnchorProvider} provider its wallet must be the program's upgrade authority
 * @param {string} [profile] which parameters of market.json; `public`, unless the cluster is on this machine
 */
async function deploy(provider, profile = process.env.ASSAY_PARAMS) {
  const program = new anchor.Program(readJson("idl/assay.json"), provider);
  const endpoint = provider.connection.rpcEndpoint;
  const chosen = profile || (LOOPBACK.includes(new URL(endpoint).hostname) ? "local" : "public");
  const params = marketParams(program.idl, chosen);
  const [market] = anchor.web3.PublicKey.findProgramAddressSync(
    [Buffer.from("market")],
    program.programId,
  );

  await provider.connection.getVersion().catch((error) => {
    throw new Refusal(`no cluster answers at ${endpoint}: ${error.message}; check the URL`);
  });
  const existing = await provider.connection.getAccountInfo(market, "confirmed");
  // Lamports that somebody sent to the address ahead of time make it a wallet, not a market.
  if (existing && existing.owner.equals(program.programId)) {
    const { inner } = program.coder.accounts.decode("market", existing.data);
    const same = sameParams(inner.params, params);
    say(`the market ${market} is there already, held by ${inner.authority}; nothing sent`);
    if (!same) {
      say(`its parameters are not those of "${chosen}" in migrations/market.json`);
      say("hint: its authority changes them with market_update");
    }
    return report({ market, authority: inner.authority, created: false, params_match: same });
  }

  const programData = await checkedProgramData(program, provider);
  const signature = await program.methods
    .marketInit(params)
    .accountsPartial({
      payer: provider.wallet.publicKey,
      upgradeAuthority: provider.wallet.publicKey,
      programData,
    })
    .rpc({ commitment: "confirmed" });
  say(`the market ${market} is open, with the parameters "${chosen}"`);
  return report({ market, authority: provider.wallet.publicKey, created: true, signature });
}

/** The program's ProgramData account, once it is known to name this wallet as the upgrade authority. */
async function checkedProgramData(program, provider) {
  const [address] = anchor.web3.PublicKey.findProgramAddressSync(
    [program.programId.toBuffer()],
    LOADER,
  );
  const account = await provider.connection.getAccountInfo(address, "confirmed");
  if (!account || !account.owner.equals(LOADER)) {
    throw new Refusal(
      `the program ${program.programId} is not deployed at ${provider.connection.rpcEndpoint}; deploy it first`,
    );
  }
  const key = account.data.subarray(AUTHORITY_OFFSET, AUTHORITY_OFFSET + 32);
  const authority =
    account.data[AUTHORITY_OFFSET - 1] === 1 ? new anchor.web3.PublicKey(key) : null;
  const wallet = provider.wallet.publicKey;
  if (!authority || !authority.equals(wallet)) {
    throw new Refusal(
      `only the program's upgrade authority opens the market: that is ${authority || "nobody"}, the wallet is ${wallet}`,
    );
  }
  return address;
}

/** The parameters of market.json in the IDL's order and types; a field too many or too few is an error. */
function marketParams(idl, profile) {
  const given = readJson("migrations/market.json")[profile];
  if (!given) {
    throw new Refusal(`migrations/market.json has no parameters "${profile}"; it has "local" and "public"`);
  }
  const { fields } = idl.types.find((type) => type.name === "marketParams").type;
  const wire = new Map(Object.entries(given).map(([name, value]) => [camel(name), value]));
  const params = {};
  for (const { name, type } of fields) {
    if (!wire.has(name)) throw new Refusal(`migrations/market.json: "${profile}" lacks ${name}`);
    params[name] = type === "u64" ? new anchor.BN(wire.get(name)) : wire.get(name);
    wire.delete(name);
  }
  if (wire.size > 0) {
    throw new Refusal(`migrations/market.json: the IDL does not know ${[...wire.keys()].join(", ")}`);
  }
  return params;
}

function sameParams(found, wanted) {
  return Object.keys(wanted).every((name) => String(found[name]) === String(wanted[name]));
}

function camel(name) {
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

function readJson(path) {
  return JSON.parse(readFileSync(join(ROOT, path), "utf8"));
}

function say(text) {
  console.error(`migrate: ${text}`);
}

/** One line of data on stdout for scripts. */
function report(result) {
  console.log(JSON.stringify(result));
  return result;
}

/** Without the Anchor CLI: the provider comes from the arguments, or from the variables that the CLI would set. */
async function main() {
  const { values } = parseArgs({
    options: {
      url: { type: "string", default: process.env.ANCHOR_PROVIDER_URL || "http://127.0.0.1:8899" },
      keypair: {
        type: "string",
        default: process.env.ANCHOR_WALLET || join(homedir(), ".config/solana/id.json"),
      },
      params: { type: "string" },
    },
  });
  const wallet = new anchor.Wallet(keypair(values.keypair));
  const connection = new anchor.web3.Connection(values.url, "confirmed");
  const provider = new anchor.AnchorProvider(connection, wallet, { commitment: "confirmed" });
  await deploy(provider, values.params);
}

function keypair(path) {
  try {
    const secret = Uint8Array.from(JSON.parse(readFileSync(path, "utf8")));
    return anchor.web3.Keypair.fromSecretKey(secret);
  } catch (error) {
    throw new Refusal(
      `${path} is no keypair file of the Solana CLI: ${error.message}; name one with --keypair or ANCHOR_WALLET`,
    );
  }
}

if (require.main === module) {
  main().then(
    // The client keeps its websocket open, and with it the process.
    () => process.exit(0),
    (error) => {
      say(error instanceof Refusal ? error.message : error.stack || String(error));
      for (const line of error.logs || []) say(`  ${line}`);
      process.exit(1);
    },
  );
}

module.exports = deploy;
