//! The file that `assay-worker init` writes.

/// Every setting with its default. `{operator}` and `{authority}` are filled in.
pub const TEMPLATE: &str = r##"# Configuration of assay-worker.
# Order: these values, then ASSAY_WORKER_* variables (ASSAY_WORKER_CHAIN__POLL_MS=500),
# then flags (--set chain.poll_ms=500). Relative paths are meant from this file's folder.

# The wallet that registered the provider. It stays cold: the worker never needs its key.
authority = "{authority}"
# The hot key. It can claim and commit, never move money out; it needs lamports for fees only.
operator = "operator.json"
# Journal, caches and lock. The journal holds the salts of live commitments: keep it, back it up.
data_dir = "data"

[chain]
# The first healthy endpoint is asked. With a second one, times, heights and expiries are compared.
rpc = ["http://127.0.0.1:8899"]
# While one is alive, the chain is read less often; a list for several, "" for none.
websocket = "ws://127.0.0.1:8900"
# The genesis hash that every endpoint must show; "" for that of the first one that answers.
genesis = ""
# To one endpoint.
requests_per_second = 20
# Between two readings of the chain while something is due or no websocket is alive, and otherwise.
poll_ms = 2000
idle_poll_ms = 8000
# Between two lists of all jobs that may be taken or audited, while a websocket is alive.
idle_list_ms = 60000
# A websocket without a new slot for so long is dead.
silence_secs = 15
# How long the only endpoint must insist on a time that jumped until it is believed.
jump_secs = 20
timeout_secs = 30
# Most micro-lamports offered for a compute unit; 0 offers nothing.
max_unit_price = 100000
# What is offered below that: of the recent offers the one at this percentage.
fee_percentile = 50
look_ms = 500
resend_ms = 2000

[api]
# Requesters hand over inputs and fetch results here. Put a TLS proxy before a public address.
listen = "127.0.0.1:8950"
# The url of this service as requesters see it: must be the provider's endpoint on chain.
public_url = "http://127.0.0.1:8950"
timeout_secs = 60
concurrent_requests = 64
# Connections in all and from one client, and requests a minute of one client (0: no limit).
connections = 512
connections_per_client = 32
requests_per_minute = 600
# Behind a proxy on this machine: the header in which it names its client, such as "x-forwarded-for".
client_header = ""
# Most bytes sent a second in large answers; 0 for no limit. Leave room for your own use of the line.
upload_bytes_per_sec = 0

[control]
# The status page, `ps` and `drain`, for this machine alone: a loopback address; port 0 takes a free one, "" is off.
listen = "127.0.0.1:8951"

[policy]
# The price of an open job rises; the worker claims when it reaches this.
min_price_lamports = 0
# "any", or a list of sha256 digests of .onnx files.
models = "any"
max_collateral_lamports = 562949953421312
# Leave out jobs whose collateral is more than so many times their highest price.
max_collateral_ratio = 4
# The same for jobs that may be audited: the market asks at least 20 audit fees for them.
max_audited_ratio = 400
# Take jobs that may be drawn for audit, if so many others could audit them at that moment.
audited = true
min_auditors = 2
# Leave out jobs with a longer challenge window: without an acknowledgement their pay and collateral wait for it.
max_challenge_secs = 3600
# Leave out jobs that allow less time from claim to commit.
min_compute_secs = 2
# Kept back to land the commit; at most a quarter of a job's compute window is.
commit_margin_secs = 10
# Take only jobs reserved for this provider.
exclusive_only = false
# Jobs claimed and not yet committed; not more than engine.concurrency, or they wait in a queue.
concurrent_jobs = 2
preparing_jobs = 4
watched_jobs = 10000
# Most of those places, in hundredths, that one requester gets.
requester_percent = 50
# Run a prepared job once before it is claimed: "off", "unknown" (where no earlier run of the model with such an input
# tells how long it takes) or "always". The answer is kept, so that no job is run twice. Seats are tried unless "off".
trial_run = "unknown"
# Longest trial. Jobs whose run was never seen to end within it are left alone.
trial_secs = 60
# What a run is counted as, in hundredths of what was measured: the margin for a busy machine.
safety_percent = 150
# So many failed or lost jobs of one model, or of several together, within the window: they are left alone for the pause,
# then one job is tried. The pause doubles while that fails.
breaker_failures = 3
breaker_window_secs = 3600
breaker_pause_secs = 600
# Of the operator's lamports, kept back besides the fees of what is live: with less, nothing new is taken.
reserve_lamports = 1000000
# Hours in which no new job or seat is taken, in UTC: ["22:00-07:00", "sat,sun 09:00-18:00"]. What is held goes on.
pause = []
# At the first signal, wait this long for acknowledgements of committed jobs.
shutdown_secs = 30
# How long outputs of ended jobs are kept for their requesters. What the journal holds of jobs, audits and transactions
# beyond what earnings adds up goes then, too.
retention_hours = 168
# Most bytes of those outputs: above it, the oldest of what has ended go sooner, of what has not, none.
retention_bytes = 8589934592

[audit]
# Take seats on the panels that judge other providers' jobs. Our own jobs are defended in any case.
enabled = true
# A seat takes up to seven transactions; its fee must be at least this.
min_fee_lamports = 40000
# Each seat has five fees of the stake in it until its panel has spoken.
max_seats = 8
# Kept back to land a commitment; at most a quarter of the commit phase is. Hints that the primary has not served by then
# are called unavailable.
margin_secs = 60
# Authorities of other providers in the same hands: their jobs are never audited, nor those that they or we request.
siblings = []

[limits]
# No new work while the hottest GPU of the machine is warmer, or all its GPUs draw more watts together; 0 for no limit.
gpu_temperature_c = 0
gpu_power_w = 0
# No new work while others than this worker use more of all processors, in hundredths; 0 for no limit.
cpu_percent = 0
# Between two looks. Three in a row over a limit begin the pause, six clearly below it (5 degrees, a tenth) end it.
sample_secs = 5

[artifacts]
# Folders with .onnx files, found by digest; others are fetched from the model's uri.
model_dirs = []
# For a local chain only: anyone can put a uri into a job.
allow_file = false
allow_private = false
allow_http = false
model_cache_bytes = 21474836480
blob_cache_bytes = 4294967296
# Longest time for one source to give one file; what has come by then is kept for the next try.
fetch_timeout_secs = 600
# Pieces of 4 MiB of one file that are fetched at the same time, where the server knows ranges.
connections = 4
# Asked for ipfs:// uris, and for models without a uri; [] for none. What they send is checked by digest.
ipfs_gateways = ["https://{cid}.ipfs.dweb.link", "https://{cid}.ipfs.w3s.link", "https://ipfs.io/ipfs/{cid}"]

[engine]
# library = "/path/to/libonnxruntime.so"   # else ORT_DYLIB_PATH, else where `make bootstrap` puts it
# What is started with the argument `engine` to run models; else this executable. A model's file is verified before it
# is handed over: whoever puts another engine here cheats itself first.
# program = "/path/to/assay-worker"
# cpu, cuda, tensorrt, coreml, directml; one that is missing is an error, never a fallback. auto takes the best that
# works when the worker starts: the next start may take another, with other times and another runtime class.
provider = "cpu"
device = 0
# Of one inference. One keeps sums in one order, whatever else runs.
threads = 1
# The same for work that is never compared with another's; 0: the machine's threads, shared by the engines.
fast_threads = 0
deterministic = true
optimization = "all"
warm_up = true
load_timeout_secs = 120
# Engines kept without work: that many, that long, and while all engines together hold no more than so many bytes.
# A model that alone needs more memory is refused. What is prepared and not claimed may take a quarter as much beside it,
# in the worker's own memory. 0: three quarters of the machine's.
warm_models = 8
keep_alive_secs = 300
memory_bytes = 0
# A process that waits for the next model, with ONNX Runtime loaded.
spare = true
# Microseconds that a short run's answer and the next run are looked for in a loop before they are waited for asleep; only
# where a core would lie idle. 0: never, which saves power.
spin_us = 5000
# Models as ONNX Runtime has optimised them, kept on disk in data_dir/optimised so that the next load is quick (CPU only);
# the longest unused go first. 0 keeps none.
optimised_cache_bytes = 4294967296
# Runs at the same time, and engines with the same model; 0: as many as run.
concurrency = 2
instances = 0
# Models loaded at the same time to look at them before a claim. They take no place from claimed work.
preparing = 1
# required, best-effort, off. Models run in a child process that can reach no file, no network, no other process. With
# best-effort a worker runs with what the kernel has of that, and says at its start what it lacks.
sandbox = "required"

[engine.limits]
model_bytes = 2147483648
input_bytes = 67108864
output_bytes = 67108864
# Of one engine, beyond the runtime itself.
memory_bytes = 8589934592

[sessions]
# Serve models to whoever has a payment channel with this provider: many requests, paid with vouchers off the chain and
# settled now and then. Unaudited: nobody runs them again, and each side risks the price of one request.
enabled = false
# What is served: sha256 of the file, the name that requesters see, and lamports for each request, for each KiB of a
# run's input, for each token of a prompt and of an answer. Those left out are 0:
# max_tokens of a model: what it has room for, where its file does not say.
# models = [
#     { model = "<sha256 in hex>", name = "digits", price = { request = 5000 } },
#     { model = "<sha256 in hex>", name = "chat", price = { input_token = 20, output_token = 100 }, max_tokens = 2048 },
# ]
models = []
# Requests at the same time; more are answered with 429.
max_concurrent = 64
# A session is settled once it owes so many lamports: what is lost at most beyond one request if this machine is.
value_at_risk_lamports = 10000000
# Sessions that their requesters could end sooner, and vouchers that end sooner, are not taken.
min_grace_secs = 86400
min_voucher_secs = 3600
# Between two readings of the sessions in use; none are read while there are none.
poll_secs = 10
# A session without requests for so long is settled.
settle_idle_secs = 3600
# Tokens of a prompt and its answer together.
max_tokens = 4096
# Runs at the same time, beside engine.concurrency for jobs; requests in one run; microseconds that a request waits for
# others to share its run (0: it shares with those that wait already); requests that wait, for each model.
engines = 1
batch_size = 16
batch_wait_us = 0
queue = 256

[earnings]
# Watts that the machine draws while it runs a model, above what it draws anyway: for the energy in
# `assay-worker earnings` of runs that no counter measured. 0 if you do not know.
watts = 0

[log]
# text or json
format = "text"
filter = "info"
"##;
