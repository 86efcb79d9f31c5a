"""What the paper claims."""

from separata import Claim, Paper

PAPER = Paper(
    name="circuit-diagrams",
    title=(
        "Neural Circuit Diagrams: Robust Diagrams for the Communication, Implementation, and Analysis of Deep"
        " Learning Architectures"
    ),
    year=2024,
    authors=("Vincent Abbott",),
    venue="Transactions on Machine Learning Research",
    arxiv="2402.05424",
    field="Representation learning",
    claims=(
        Claim(
            "coverage",
            "The diagrams express transformers, convolution and its extensions, residual networks, the U-Net and the "
            "vision transformer",
            metric="architectures drawn, operations that stay closed boxes, pictures that are no valid SVG",
            paper={"architectures": None, "opaque": None, "invalid": None, "control": None},
            labels={
                "architectures": "architectures",
                "opaque": "closed boxes",
                "invalid": "invalid pictures",
                "control": "closed boxes of an LSTM, which has no rule",
            },
            criterion="at least 10 architectures, no closed box, all pictures valid; the LSTM is seen as a closed box",
            holds=lambda m: m["architectures"] >= 10 and m["opaque"] == 0 and m["invalid"] == 0 and m["control"] >= 1,
        ),
        Claim(
            "code",
            "Diagrams correspond closely to code",
            metric="largest relative error in float64, against the module, of what is computed by the diagram, by its "
            "text read back, and by the PyTorch code that is generated",
            paper={"diagram": None, "text": None, "generated": None, "control": None},
            labels={
                "diagram": "diagram executed",
                "text": "text read back",
                "generated": "generated code",
                "control": "smallest error with other weights",
            },
            criterion="at most 1e-10 for all three; above 1e-6 if the weights of one operation are replaced",
            holds=lambda m: all(m[name] <= 1e-10 for name in ("diagram", "text", "generated")) and m["control"] > 1e-6,
            note="The control replaces the weights of one operation by random ones.",
        ),
        Claim(
            "arrangement",
            "Diagrams keep track of the changing arrangement of data",
            metric="share of modules whose output has another shape than forward hooks see, and of data columns in "
            "which the wires drawn are not as many as the axes of the arrays alive",
            paper={"shapes": None, "columns": None, "control": None},
            labels={
                "shapes": "wrong shapes",
                "columns": "wrong columns",
                "control": "wrong shapes, inputs of another batch",
            },
            criterion="none of either; all or almost all (90 %) with a batch of another size",
            holds=lambda m: m["shapes"] == 0 and m["columns"] == 0 and m["control"] >= 0.9,
        ),
        Claim(
            "broadcasting",
            "Diagrams show precisely how operations are broadcast",
            metric="share of axes drawn past an operation over which Definition 2.14 holds numerically, and of axes "
            "drawn into it for which it does not",
            paper={"passing": None, "acted": None, "by_size": None},
            labels={
                "passing": "passing axes confirmed",
                "acted": "acted-on axes refuted",
                "by_size": "pairs of axes of equal size that are broadcast",
            },
            criterion="all of both; matching axes by size alone is right for fewer than 90 %",
            holds=lambda m: m["passing"] == 1 and m["acted"] == 1 and m["by_size"] < 0.9,
        ),
        Claim(
            "linearity",
            "Diagrams reveal the parallel behavior of linear operations: they slide past one another and merge",
            metric="share of operations drawn as linear that are, and of those drawn otherwise that are not; relative "
            "error and number of operations after merging the linear steps of attention's scores",
            paper={"linear": None, "nonlinear": None, "error": None, "before": None, "after": None},
            labels={
                "linear": "linear ones confirmed",
                "nonlinear": "nonlinear ones refuted",
                "error": "relative error after merging",
                "before": "operations before",
                "after": "operations after",
            },
            criterion="all of both; of three operations or more one Einstein sum is left; error at most 1e-10",
            holds=lambda m: (
                m["linear"] == 1
                and m["nonlinear"] == 1
                and m["error"] <= 1e-10
                and m["after"] == 1
                and m["before"] >= 3
            ),
            note="Transposing keys, the outer product with queries, the diagonal over heads and the inner product.",
        ),
        Claim(
            "complexity",
            "Diagrams allow time and space complexities to be analyzed",
            metric="largest relative difference of FLOPs from PyTorch's counter, of polynomials in sizes from that "
            "counter at other sizes, and of peak memory from what is measured as the module runs",
            paper={"flops": None, "polynomial": None, "peak": None, "median": None, "naive": None},
            labels={
                "flops": "FLOPs",
                "polynomial": "polynomial at other sizes",
                "peak": "peak memory, the worst",
                "median": "peak memory, the median",
                "naive": "peak memory, all arrays kept",
            },
            criterion="FLOPs and polynomials exact, peak memory within 10 %; keeping all arrays is off by more",
            holds=lambda m: m["flops"] == 0 and m["polynomial"] == 0 and m["peak"] <= 0.1 < m["naive"],
            note="Peak memory is that of the module as PyTorch runs it, without gradients. Arrays that its variables "
            "hold beyond their last use are not in a diagram.",
        ),
        Claim(
            "backpropagation",
            "Diagrams allow back-propagation to be analyzed",
            metric="relative error in float64 of the backward diagram against autograd; cost of the backward pass of "
            "linear operations, in forward passes",
            paper={"error": None, "control": None, "smallest": None, "largest": None},
            labels={
                "error": "error",
                "control": "error with the gradient of another output",
                "smallest": "cost of backward, smallest",
                "largest": "cost of backward, largest",
            },
            criterion="error at most 1e-10, above 1e-3 for the control; linear operations cost exactly 2",
            holds=lambda m: m["error"] <= 1e-10 and m["control"] > 1e-3 and m["smallest"] == m["largest"] == 2,
        ),
    ),
)
