//! What is to be compiled: every kernel once, with everything below it, generated.

use std::collections::HashMap;

use crate::error::Error;
use crate::signature::Signature;
use crate::source::{AnySpec, Parts};

/// Kernels in the order of the request, each after what it depends on.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) kernels: Vec<Planned>,
}

#[derive(Debug)]
pub(super) struct Planned {
    pub(super) spec: AnySpec,
    pub(super) parts: Parts,
    /// What it is linked to.
    pub(super) dependencies: Vec<usize>,
}

/// A generated kernel whose dependencies are being looked for. A list of these instead of recursion: a chain
/// of thousands of kernels must not end the stack.
struct Descent {
    spec: AnySpec,
    parts: Parts,
    dependencies: Vec<usize>,
    next: usize,
}

#[derive(Clone, Copy)]
enum State {
    Open,
    Planned(usize),
    Failed,
}

struct Planner {
    kernels: Vec<Planned>,
    states: HashMap<Signature, (AnySpec, State)>,
    descents: Vec<Descent>,
    errors: Vec<Error>,
}

impl Plan {
    /// Runs the generators. All that fail are reported.
    pub(super) fn new(specs: &[AnySpec]) -> Result<Plan, Vec<Error>> {
        let mut planner =
            Planner { kernels: Vec::new(), states: HashMap::new(), descents: Vec::new(), errors: Vec::new() };
        for spec in specs {
            planner.begin(spec);
            planner.descend();
        }
        if planner.errors.is_empty() { Ok(Plan { kernels: planner.kernels }) } else { Err(planner.errors) }
    }

    /// Everything below a kernel, each once, dependencies first.
    pub(super) fn below(&self, kernel: usize) -> Vec<usize> {
        let mut below = vec![false; kernel];
        let mut next = self.kernels[kernel].dependencies.clone();
        while let Some(number) = next.pop() {
            if !std::mem::replace(&mut below[number], true) {
                next.extend(&self.kernels[number].dependencies);
            }
        }
        (0..kernel).filter(|number| below[*number]).collect()
    }
}

impl Planner {
    /// The state of a kernel; a new one is generated.
    fn begin(&mut self, spec: &AnySpec) -> State {
        let signature = spec.signature();
        if let Some((first, state)) = self.states.get(&signature) {
            if first.generator_id() != spec.generator_id() {
                self.errors.push(Error::Collision {
                    kernel: spec.description(),
                    first: first.location(),
                    second: spec.location(),
                });
                return State::Failed;
            }
            return *state;
        }
        let state = match spec.generate() {
            Ok(parts) => {
                self.descents.push(Descent { spec: spec.clone(), parts, dependencies: Vec::new(), next: 0 });
                State::Open
            }
            Err(error) => {
                self.errors.push(error);
                State::Failed
            }
        };
        self.states.insert(signature, (spec.clone(), state));
        state
    }

    fn descend(&mut self) {
        while let Some(descent) = self.descents.last_mut() {
            let Some(dependency) = descent.parts.dependencies.get(descent.next).cloned() else {
                self.end();
                continue;
            };
            let depth = self.descents.len();
            match self.begin(&dependency) {
                State::Planned(number) => self.take(Some(number)),
                State::Failed => self.take(None),
                // Generated now: its own dependencies come first, and then it is asked for again.
                State::Open if self.descents.len() > depth => {}
                State::Open => {
                    let path = self.circle(&dependency);
                    self.errors.push(Error::Cycle { path });
                    self.take(None);
                }
            }
        }
    }

    /// The dependency that was asked for is there, or failed, which was reported.
    fn take(&mut self, number: Option<usize>) {
        if let Some(descent) = self.descents.last_mut() {
            descent.next += 1;
            descent.dependencies.extend(number);
        }
    }

    fn end(&mut self) {
        let Some(Descent { spec, parts, dependencies, .. }) = self.descents.pop() else { return };
        let signature = spec.signature();
        self.kernels.push(Planned { spec, parts, dependencies });
        let number = self.kernels.len() - 1;
        if let Some((_, state)) = self.states.get_mut(&signature) {
            *state = State::Planned(number);
        }
    }

    fn circle(&self, dependency: &AnySpec) -> Vec<String> {
        let start = self.descents.iter().position(|d| d.spec.signature() == dependency.signature());
        let below = self.descents.iter().skip(start.unwrap_or_default()).map(|d| d.spec.description());
        below.chain([dependency.description()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cxx::KernelFn;
    use crate::source::{KernelSpec, Source};

    type F = extern "C" fn(f64) -> f64;

    fn spec(name: &str, below: Vec<KernelSpec<F>>) -> KernelSpec<F> {
        let text = format!("double {name}(double x) {{ return x; }}");
        KernelSpec::new(name, (), move || {
            // SAFETY: arithmetic only.
            #[allow(unsafe_code)]
            let source = unsafe { Source::new(text.clone()) };
            below.iter().fold(source, |source, dependency| source.depends_on(dependency))
        })
    }

    fn any<K: KernelFn>(specs: &[KernelSpec<K>]) -> Vec<AnySpec> {
        specs.iter().map(|spec| spec.any().clone()).collect()
    }

    #[test]
    fn dependencies_come_first_and_each_kernel_once() {
        let base = spec("base", Vec::new());
        let left = spec("left", vec![base.clone()]);
        let top = spec("top", vec![left.clone(), base.clone()]);
        let plan = Plan::new(&any(&[top.clone(), left, top, base])).unwrap();
        let names: Vec<&str> = plan.kernels.iter().map(|kernel| kernel.spec.name()).collect();
        assert_eq!(names, ["base", "left", "top"]);
        assert_eq!(plan.kernels[2].dependencies, [1, 0]);
        assert_eq!(plan.below(2), [0, 1]);
        assert_eq!(plan.below(0), [0; 0]);
    }

    #[test]
    fn a_chain_of_thousands_does_not_end_the_stack() {
        fn link(n: u32) -> KernelSpec<F> {
            KernelSpec::new("link", n, move || {
                // SAFETY: arithmetic only.
                #[allow(unsafe_code)]
                let source = unsafe { Source::new("double link(double x) { return x; }") };
                if n == 0 { source } else { source.depends_on(&link(n - 1)) }
            })
        }
        let plan = Plan::new(&any(&[link(5000)])).unwrap();
        assert_eq!(plan.kernels.len(), 5001);
        assert_eq!(plan.below(5000).len(), 5000);
    }

    #[test]
    fn a_circle_is_told_with_its_path() {
        fn round(n: u32) -> KernelSpec<F> {
            KernelSpec::new("round", n, move || {
                // SAFETY: arithmetic only.
                #[allow(unsafe_code)]
                let source = unsafe { Source::new("double round(double x) { return x; }") };
                source.depends_on(&round((n + 1) % 3))
            })
        }
        let errors = Plan::new(&any(&[round(1)])).unwrap_err();
        let [Error::Cycle { path }] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!(path[..], ["round(1)", "round(2)", "round(0)", "round(1)"]);
    }

    #[test]
    fn all_failures_are_told() {
        let fails =
            |name: &str| KernelSpec::<F>::new(name, (), || Err::<Source<F>, _>("no such element".to_owned()));
        let errors = Plan::new(&any(&[fails("a"), spec("b", vec![fails("c")]), fails("a")])).unwrap_err();
        let texts: Vec<String> = errors.iter().map(Error::to_string).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts[0].contains("a(") && texts[1].contains("c("), "{texts:?}");
    }
}
