//! One run after the other: start a peer, load it, stop it, judge what came of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::arguments::Extent;
use crate::cpu::Watch;
use crate::fault::Fault;
use crate::ground::Ground;
use crate::instructions::Counter;
use crate::load::{Call, Load, Mode, Said, Tokens, program};
use crate::metrics::{Counts, records_of_requests};
use crate::peer::{Peer, Ports, Prepared, Programs, origin};
use crate::process::Process;
use crate::run::Run;
use crate::{clock, interrupt, ports};

/// From listening to being loaded: nginx listens before its worker is there.
const SETTLE: Duration = Duration::from_millis(300);
/// What `t8load` may take beyond its window: connecting, in idle mode settling, and reporting.
const BEYOND: Duration = Duration::from_secs(60);

/// Everything that runs share.
pub struct Bench {
    pub extent: Extent,
    pub ground: Ground,
    pub programs: Programs,
    /// Where plots go.
    pub out: PathBuf,
    /// Every run, none dropped.
    pub runs: Vec<Run>,
    /// Configurations as the programs read them, by peer.
    pub configurations: BTreeMap<String, String>,
    ports: Ports,
    origin: Process,
}

/// What is done in one run.
pub struct Task<'a> {
    pub scenario: &'a str,
    pub peer: Peer,
    pub load: Load,
    /// From 1; 0 is a trial.
    pub round: usize,
    /// Loads the proxy while `load` is timed.
    pub beside: Option<Load>,
    /// Whether `t8load` draws a plot of the latencies.
    pub plot: bool,
    /// Whether instructions are counted, where the machine can.
    pub instructions: bool,
}

impl<'a> Task<'a> {
    /// A plain one.
    pub fn new(scenario: &'a str, peer: Peer, load: Load, round: usize) -> Self {
        Self {
            scenario,
            peer,
            load,
            round,
            beside: None,
            plot: false,
            instructions: false,
        }
    }
}

impl Task<'_> {
    /// Memory, and what shares a CPU with the generator, do not depend on how busy CPU 1 was.
    fn judged_by_cpu(&self) -> bool {
        self.load.mode != Mode::Idle && self.peer.shards == 1 && !self.peer.roomy
    }
}

impl Bench {
    /// Starts the origin.
    ///
    /// # Errors
    /// When it does not start.
    pub fn open(
        extent: Extent,
        ground: Ground,
        programs: Programs,
        out: PathBuf,
    ) -> Result<Self, Fault> {
        let [port] = ports::free()?;
        let mut prepared = origin(&ground, &programs, port)?;
        prepared.program.niceness = extent.niceness;
        let log = ground.directory.join("origin.log");
        let process = Process::serve(&prepared.program, "1", port, &log)?;
        let configurations = BTreeMap::from([("origin".to_owned(), prepared.configuration)]);
        Ok(Self {
            extent,
            ground,
            programs,
            out,
            runs: Vec::new(),
            configurations,
            ports: Ports {
                listen: 0,
                admin: 0,
                origin: port,
            },
            origin: process,
        })
    }

    /// Does a task and keeps its run. A fault makes the run void and is said; others go on.
    ///
    /// # Errors
    /// Only when the bench is interrupted.
    pub fn run(&mut self, task: &Task<'_>) -> Result<&Run, Fault> {
        let mut run = Run {
            scenario: task.scenario.to_owned(),
            peer: task.peer.name().to_owned(),
            auth: task.peer.auth().to_owned(),
            round: task.round,
            connections: task.load.connections,
            rate: task.load.rate,
            ..Run::default()
        };
        if let Err(fault) = self.fill(task, &mut run) {
            interrupt::check()?;
            run = run.failed(&fault.to_string());
        }
        eprintln!("{}", run.line());
        self.runs.push(run);
        Ok(&self.runs[self.runs.len() - 1])
    }

    fn fill(&mut self, task: &Task<'_>, run: &mut Run) -> Result<(), Fault> {
        interrupt::check()?;
        ports::check_ours(self.ports.origin, self.origin.pid())?;
        [self.ports.listen, self.ports.admin] = ports::free()?;
        let mut prepared = task
            .peer
            .prepare(&self.ground, &self.programs, self.ports)?;
        prepared.program.niceness = self.extent.niceness;
        let name = task.peer.name();
        self.configurations
            .insert(task.peer.described(), prepared.configuration.clone());
        let log = self.ground.directory.join(format!("{name}.log"));
        let cpus = task.peer.cpus();
        let proxy = Process::serve(&prepared.program, &cpus, self.ports.listen, &log)?;
        std::thread::sleep(SETTLE);
        self.load(task, &proxy, run)?;
        ports::check_ours(self.ports.listen, proxy.pid())?;
        self.settle(&prepared, proxy, run)
    }

    /// Runs the load, and the one beside it.
    fn load(&self, task: &Task<'_>, proxy: &Process, run: &mut Run) -> Result<(), Fault> {
        let watch = [("proxy", proxy.pid()), ("origin", self.origin.pid())];
        let stem = format!("{}-{}", task.scenario, task.peer.name());
        let svg = self.out.join(format!("latency-{stem}.svg"));
        let Extent { seconds, .. } = self.extent;
        let warmup = match task.load.tokens {
            // Until every token has been verified once, by whoever verifies it dearest.
            Tokens::Rotate => self.extent.warmup.max(1.5),
            Tokens::Connection => self.extent.warmup,
        };
        let call = Call {
            peer: task.peer,
            port: self.ports.listen,
            seconds: if task.round == 0 {
                seconds.min(2.0)
            } else {
                seconds
            },
            warmup,
            idle_settle: self.extent.idle_settle,
            watch: &watch,
            json: &self.file("load.json"),
            svg: task.plot.then_some(svg.as_path()),
        };
        let beside = match &task.beside {
            Some(load) => Some(self.start_beside(load, &call)?),
            None => None,
        };
        if beside.is_some() {
            std::thread::sleep(SETTLE);
        }
        let counter = match task.instructions {
            true => Counter::start(proxy.pid(), warmup, call.seconds, &self.ground.directory)?,
            false => None,
        };
        let (said, cpus) = self.generate(&task.load, &call)?;
        if let Some(counter) = counter {
            let instructions = counter.finish()?;
            run.instructions_per_op = Some(instructions / (said.ops_per_s * call.seconds));
        }
        if let Some(beside) = beside {
            let json = self.file("beside.json");
            let status = beside.wait(BEYOND)?;
            let of_beside = Said::read(&json)?;
            if let Some(wrong) = of_beside.wrong() {
                return Err(Fault::new(format!("the load beside: {wrong}")));
            }
            if !status.success() {
                return Err(Fault::new(format!("the load beside ended with {status}")));
            }
            run.operations_of_whole_run += of_beside.whole_run.operations;
            run.beside_ops_per_s = Some(of_beside.ops_per_s);
            run.generator_busy = of_beside.busy("generator");
        }
        if task.load.mode == Mode::Idle {
            if said.operations != task.load.connections as u64 {
                let held = said.operations;
                return Err(Fault::new(format!("only {held} connections were held")));
            }
        } else {
            run.operations_of_whole_run += said.whole_run.operations;
        }
        run.foreign_ignored = self.extent.niceness < 0;
        run.judge(&said, cpus, task.judged_by_cpu());
        if run.void.is_none() {
            run.void = other_handshakes(task.load.mode, &said);
        }
        if task.load.mode == Mode::Idle {
            run.kb_per_connection = memory(&said);
        }
        if task.beside.is_some() {
            // It is the handshakes' beside, not that of the requests that were timed.
            run.cpu_us_per_op = None;
        }
        Ok(())
    }

    /// Runs `t8load` to its end.
    fn generate(&self, load: &Load, call: &Call<'_>) -> Result<(Said, [f64; 2]), Fault> {
        remove(call.json)?;
        let mut program = program(load, call, &self.ground, &self.programs)?;
        program.niceness = self.extent.niceness;
        let cpu = call.peer.generator_cpu();
        let mut process = Process::start(&program, cpu, &self.file("load.log"))?;
        let mut watch = Watch::default();
        let window = Duration::from_secs_f64(call.seconds + call.warmup);
        let over = clock::wait_until(window + BEYOND, || {
            watch.look();
            interrupt::asked() || process.ended()
        });
        interrupt::check()?;
        if !over {
            return Err(process.fault("does not end"));
        }
        if !call.json.exists() {
            return Err(process.fault("left no report"));
        }
        let said = Said::read(call.json)?;
        let cpus = watch.busy(said.duration_s.min(call.seconds));
        Ok((said, cpus))
    }

    /// Starts a load that lasts a little longer than the one it stands beside.
    fn start_beside(&self, load: &Load, call: &Call<'_>) -> Result<Process, Fault> {
        let json = self.file("beside.json");
        remove(&json)?;
        let call = Call {
            seconds: call.warmup + call.seconds + 1.0,
            warmup: 0.2,
            json: &json,
            svg: None,
            watch: &[],
            ..*call
        };
        let mut program = program(load, &call, &self.ground, &self.programs)?;
        program.niceness = self.extent.niceness;
        Process::start(&program, "1", &self.file("beside.log"))
    }

    /// Stops the peer. Of t8gate it asks before what it counted, and afterwards counts what it
    /// wrote down.
    fn settle(&self, prepared: &Prepared, proxy: Process, run: &mut Run) -> Result<(), Fault> {
        let Some(audit) = &prepared.audit else {
            // A rival that has to be killed has been measured all the same.
            drop(proxy);
            return Ok(());
        };
        let counts = Counts::scrape(self.ports.admin)?;
        proxy.stop()?;
        let records = records_of_requests(audit)?;
        let requests: u64 = counts.requests.iter().sum();
        run.counts = Some(counts);
        run.audit_records = Some(records);
        remove(audit)?;
        if records != requests {
            return Err(Fault::new(format!(
                "{requests} requests were counted, {records} recorded"
            )));
        }
        // What was under way at the end may be counted beyond what was answered, never less.
        let answered = run.operations_of_whole_run;
        if requests < answered {
            return Err(Fault::new(format!(
                "{answered} requests were answered, {requests} counted"
            )));
        }
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.ground.directory.join(name)
    }
}

fn remove(file: &Path) -> Result<(), Fault> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Fault::new(format!("{}: {error}", file.display())))
        }
        _ => Ok(()),
    }
}

/// Why a row of handshakes is none: sessions that were to be continued were not, or the other way.
fn other_handshakes(mode: Mode, said: &Said) -> Option<String> {
    let (full, resumed) = (said.handshakes.full, said.handshakes.resumed);
    // A handful fall on the edge of the window.
    let few = said.operations / 100;
    match mode {
        Mode::Handshake if resumed > few => Some(format!("{resumed} sessions were resumed")),
        Mode::Resume if full > few => Some(format!("{full} sessions were not resumed")),
        _ => None,
    }
}

/// Resident kB of the proxy for each connection held.
fn memory(said: &Said) -> Option<f64> {
    let proxy = said.share("proxy")?;
    let grown = proxy.rss_kb_after? - proxy.rss_kb_before?;
    (said.operations > 0).then(|| grown / said.operations as f64)
}
