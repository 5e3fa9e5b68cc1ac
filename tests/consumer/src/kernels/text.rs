//! Text that the generators share.

pub fn axpy(step: u32) -> String {
    let body: String = (0..step).map(|k| format!("y[i + {k}] += a * x[i + {k}]; ")).collect();
    format!(
        "void axpy(std::size_t n, double a, const double *x, double *y) {{
           std::size_t i = 0;
           for (; i + {step} <= n; i += {step}) {{ {body} }}
           for (; i < n; ++i) y[i] += a * x[i];
         }}"
    )
}

pub fn class_of(which: &str) -> String {
    let (member, first, count) = if which == "first" { ("1", "100", "1") } else { ("2", "200", "5") };
    // Inline functions, virtual tables, static members and static variables of inline functions: all of what
    // linkers merge by name.
    format!(
        "#include <vector>
         class Form {{
         public:
           virtual ~Form() {{}}
           virtual int value() const {{ return {first}; }}
           int step() const {{ static int calls = 0; calls += {count}; return calls; }}
           static inline int shared = {member};
           template <class T> static T twice;
         }};
         template <class T> T Form::twice = T(2 * {member});
         inline int helper() {{ return {member}; }}
         extern \"C\" {{
           int create_form() {{ Form form; const Form *p = &form; std::vector<int> v{{1, 2}};
             return p->value() + 1000 * helper() + 10000 * Form::shared + 100000 * Form::twice<int> + v[1]; }}
           int create_step() {{ Form form; return form.step(); }}
           extern const double weights[2];
           const double weights[2] = {{{member}.5, {first}.0}};
         }}"
    )
}
