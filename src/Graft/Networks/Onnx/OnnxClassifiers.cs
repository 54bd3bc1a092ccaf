using static Graft.Networks.Onnx.TensorProto.Types;

namespace Graft.Networks.Onnx;

/// <summary>
/// The operations of <see cref="ClassifierOperation"/> as ONNX nodes: [N, features] → logarithms of probabilities [N, classes]. Like
/// <see cref="TorchClassifiers"/> they compute in float64 up to the result.
/// </summary>
internal sealed partial class OnnxConversion
{
    /// <summary>log p(class) + log p(x | class), normalized: see <see cref="TorchClassifiers.JointLogLikelihoods"/>.</summary>
    private string JointLogLikelihoods(Layer layer, GaussianBayes op, string x)
    {
        var name = layer.Name;
        var (means, variances) = (Read(layer, ParameterRole.ClassMeans), Read(layer, ParameterRole.ClassVariances));
        var features = means.Length / op.Classes;
        // What does not depend on the photo: log p(class) − ½ Σ log 2πσ².
        var constants = Read(layer, ParameterRole.LogPriors).Select((prior, label) =>
            prior - 0.5 * variances.Skip(label * features).Take(features).Sum(variance => Math.Log(variance * (2 * Math.PI)))).ToArray();
        var rows = Node("Unsqueeze", $"{name}/rows", [Double(name, x), Constant("constant/axis_1", [1])]); // [N, 1, features]
        var differences = Node("Sub", $"{name}/differences", [rows, AsDouble($"{name}/means", means, [1, op.Classes, features])]);
        var squares = Node("Mul", $"{name}/squares", [differences, differences]);
        var scaled = Node("Div", $"{name}/scaled", [squares, AsDouble($"{name}/variances", variances, [1, op.Classes, features])]);
        var distances = Node("ReduceSum", $"{name}/distances", [scaled, Constant("constant/axis_2", [2])], Of("keepdims", 0));
        var halves = Node("Mul", $"{name}/halves", [distances, Scalar(0.5)]);
        var joint = Node("Sub", $"{name}/joint", [Constant($"{name}/constants", constants, [1, op.Classes]), halves]);
        if (op.TailScale > 0)
        {
            var likeliest = Node("ReduceMax", $"{name}/likeliest", [joint, Constant("constant/axis_1", [1])], Of("keepdims", 1));
            var behind = Node("Mul", $"{name}/behind_scaled", [Node("Sub", $"{name}/behind", [likeliest, joint]), Scalar(op.TailScale)]);
            joint = Node("Neg", $"{name}/tails", [Node("Log", $"{name}/tails_log", [Node("Add", $"{name}/tails_1", [behind, Scalar(1.0)])])]);
        }
        return Single(name, Node("LogSoftmax", $"{name}/logarithms", [joint], Of("axis", 1)));
    }

    /// <summary>−½ of the squared distances of the centered features of length 1 to the class means, normalized.</summary>
    private string DistancesOnTheSphere(Layer layer, string x, TensorShape shape)
    {
        var name = layer.Name;
        var moved = Node("Sub", $"{name}/moved", [Double(name, x), AsDouble($"{name}/middle", Read(layer, ParameterRole.MovingMean), [1, shape.Channels])]);
        var squares = Node("ReduceSum", $"{name}/square",
            [Node("Mul", $"{name}/moved_squares", [moved, moved]), Constant("constant/axis_1", [1])], Of("keepdims", 1));
        var unit = Node("Div", $"{name}/unit", [moved, Node("Max", $"{name}/length", [Node("Sqrt", $"{name}/root", [squares]), Scalar(1e-12)])]);
        var distances = SquaredDistances(name, unit, Read(layer, ParameterRole.ClassMeans), shape.Channels);
        return Single(name, Node("LogSoftmax", $"{name}/logarithms", [Node("Mul", $"{name}/halves", [distances, Scalar(-0.5)])], Of("axis", 1)));
    }

    /// <summary>Each class's share of the nearest examples; of equally near ones the first counts, as in the torch module.</summary>
    private string LogShares(Layer layer, NeighborVotes op, string x, TensorShape shape)
    {
        var name = layer.Name;
        var distances = SquaredDistances(name, Double(name, x), Read(layer, ParameterRole.Examples), shape.Channels);
        Graph.Node.Add(new NodeProto
        {
            Name = $"{name}/nearest",
            OpType = "TopK",
            Input = { distances, Constant($"{name}/neighbors", [op.Neighbors]) },
            Output = { $"{name}/nearest_distances", $"{name}/nearest" },
            Attribute = { Of("axis", 1), Of("largest", 0), Of("sorted", 1) },
        });
        long[] labels = [.. Read(layer, ParameterRole.ExampleLabels).Select(label => (long)label)];
        var voted = Node("Gather", $"{name}/voted", [Constant($"{name}/labels", labels), $"{name}/nearest"], Of("axis", 0)); // [N, neighbors]
        var votes = Node("Unsqueeze", $"{name}/votes", [voted, Constant("constant/axis_2", [2])]);
        long[] classes = [.. Enumerable.Range(0, op.Classes).Select(label => (long)label)];
        var matches = Node("Equal", $"{name}/matches", [votes, Constant($"{name}/classes", classes)]); // [N, neighbors, classes]
        var ones = Node("Cast", $"{name}/ones", [matches], To(DataType.Double));
        var counts = Node("ReduceSum", $"{name}/counts", [ones, Constant("constant/axis_1", [1])], Of("keepdims", 0));
        var all = Node("Add", $"{name}/all_votes", [counts, Scalar(op.PriorVotes)]);
        return Logarithms(name, Node("Div", $"{name}/shares", [all, Scalar(op.Neighbors + op.PriorVotes * op.Classes)]));
    }

    /// <summary>The weighted mean of the members' probabilities: see <see cref="SoftmaxVotes"/>.</summary>
    private string WeighedSoftmaxes(Layer layer, SoftmaxVotes op, string x, TensorShape shape)
    {
        var (name, outputs) = (layer.Name, op.Members * op.Classes);
        var kernel = Node("Transpose", $"{name}/columns", [AsDouble($"{name}/factors", Read(layer, ParameterRole.Factors), [outputs, shape.Channels])], Of("perm", [1, 0]));
        var scores = Node("Add", $"{name}/scores",
            [Node("MatMul", $"{name}/products", [Double(name, x), kernel]), AsDouble($"{name}/offsets", Read(layer, ParameterRole.Offsets), [1, outputs])]);
        var members = Node("Reshape", $"{name}/members", [scores, Constant($"{name}/members_shape", [-1, op.Members, op.Classes])]);
        var weighed = Node("Mul", $"{name}/weighed",
            [Node("Softmax", $"{name}/softmax", [members], Of("axis", 2)), AsDouble($"{name}/weights", Read(layer, ParameterRole.Coefficients), [1, op.Members, 1])]);
        return Logarithms(name, Node("ReduceSum", $"{name}/votes", [weighed, Constant("constant/axis_1", [1])], Of("keepdims", 0)));
    }

    /// <summary>The machines of all pairs, Platt's sigmoids and their coupling: see <see cref="TorchClassifiers"/>.</summary>
    private string CoupledLogProbabilities(Layer layer, RbfMachine op, string x, TensorShape shape)
    {
        var (name, classes) = (layer.Name, op.Classes);
        var vectors = op.SupportVectors.Sum();
        var distances = SquaredDistances(name, Double(name, x), Read(layer, ParameterRole.Examples), shape.Channels);
        var kernel = Node("Exp", $"{name}/kernel", [Node("Mul", $"{name}/exponents", [distances, Scalar(-op.Gamma)])]); // [N, vectors]

        // Each class's vectors in each of its pairs, [N, classes · (classes − 1)].
        var coefficients = Read(layer, ParameterRole.Coefficients);
        var byClass = new List<string>();
        var first = 0;
        for (var label = 0; label < classes; label++)
        {
            var count = op.SupportVectors[label];
            var own = new float[count * (classes - 1)];
            for (var vector = 0; vector < count; vector++)
                for (var row = 0; row < classes - 1; row++) own[vector * (classes - 1) + row] = coefficients[row * vectors + first + vector];
            var part = Node("Slice", $"{name}/kernel_{label}",
                [kernel, Constant($"{name}/first_{label}", [first]), Constant($"{name}/last_{label}", [first + count]), Constant("constant/axis_1", [1])]);
            byClass.Add(Node("MatMul", $"{name}/class_{label}", [part, AsDouble($"{name}/coefficients_{label}", own, [count, classes - 1])]));
            first += count;
        }
        var sums = Node("Concat", $"{name}/sums", [.. byClass], Of("axis", 1));
        var (ofFirst, ofSecond, pairOf) = (new long[op.Pairs], new long[op.Pairs], new long[classes * classes]);
        for (int i = 0, pair = 0; i < classes; i++)
        {
            pairOf[i * classes + i] = 2 * op.Pairs; // The zero after all pairs.
            for (var j = i + 1; j < classes; j++, pair++)
            {
                (ofFirst[pair], ofSecond[pair]) = (i * (classes - 1) + j - 1, j * (classes - 1) + i);
                (pairOf[i * classes + j], pairOf[j * classes + i]) = (pair, op.Pairs + pair);
            }
        }
        var decisions = Node("Add", $"{name}/decisions",
        [
            Node("Add", $"{name}/pairs",
            [
                Node("Gather", $"{name}/of_first", [sums, Constant($"{name}/first_of_pairs", ofFirst)], Of("axis", 1)),
                Node("Gather", $"{name}/of_second", [sums, Constant($"{name}/second_of_pairs", ofSecond)], Of("axis", 1)),
            ]),
            AsDouble($"{name}/offsets", Read(layer, ParameterRole.Offsets), [1, op.Pairs]),
        ]);

        // Platt: 1 / (1 + exp(A·f + B)).
        var calibration = Read(layer, ParameterRole.Calibration);
        var slopes = AsDouble($"{name}/slopes", [.. calibration.Where((_, index) => index % 2 == 0)], [1, op.Pairs]);
        var intercepts = AsDouble($"{name}/intercepts", [.. calibration.Where((_, index) => index % 2 == 1)], [1, op.Pairs]);
        var exponents = Node("Add", $"{name}/platt", [Node("Mul", $"{name}/platt_scaled", [decisions, slopes]), intercepts]);
        var likely = Node("Div", $"{name}/likely",
            [Scalar(1.0), Node("Add", $"{name}/likely_denominator", [Node("Exp", $"{name}/platt_exp", [exponents]), Scalar(1.0)])]);
        var high = Node("Min", $"{name}/below_1", [likely, Scalar(1 - TorchClassifiers.SmallestPairProbability)]);
        var r = Node("Max", $"{name}/r", [high, Scalar(TorchClassifiers.SmallestPairProbability)]);

        // r as a matrix [N, classes, classes] with r_ij + r_ji = 1, and zeros on its diagonal.
        var zero = Node("Mul", $"{name}/zero", [Node("Gather", $"{name}/any", [r, Constant("constant/indices_0", [0])], Of("axis", 1)), Scalar(0.0)]);
        var both = Node("Concat", $"{name}/both", [r, Node("Sub", $"{name}/opposite", [Scalar(1.0), r]), zero], Of("axis", 1));
        var matrix = Node("Reshape", $"{name}/matrix",
        [
            Node("Gather", $"{name}/entries", [both, Constant($"{name}/entry_of", pairOf)], Of("axis", 1)),
            Constant($"{name}/matrix_shape", [-1, classes, classes]),
        ]);
        var turned = Node("Transpose", $"{name}/turned", [matrix], Of("perm", [0, 2, 1]));
        return Logarithms(name, AsVoted(name, Couple(name, matrix, turned, classes), decisions, op));
    }

    /// <summary>The largest probability goes to the class with the most votes: see <see cref="TorchClassifiers.LogProbabilities(TorchSharp.torch.Tensor, TorchSharp.torch.Tensor, int)"/>.</summary>
    private string AsVoted(string name, string coupled, string decisions, RbfMachine op)
    {
        var (first, second) = (new double[op.Pairs * op.Classes], new double[op.Pairs * op.Classes]);
        for (int i = 0, pair = 0; i < op.Classes; i++)
            for (var j = i + 1; j < op.Classes; j++, pair++) first[pair * op.Classes + i] = second[pair * op.Classes + j] = 1;
        var (ofFirst, ofSecond) = (Constant($"{name}/votes_for_first", first, [op.Pairs, op.Classes]), Constant($"{name}/votes_for_second", second, [op.Pairs, op.Classes]));
        var won = Node("Cast", $"{name}/won", [Node("GreaterOrEqual", $"{name}/is_won", [decisions, Scalar(0.0)])], To(DataType.Double));
        var votes = Node("Add", $"{name}/votes",
        [
            Node("MatMul", $"{name}/first_votes", [won, ofFirst]),
            Node("MatMul", $"{name}/second_votes", [Node("Sub", $"{name}/lost", [Scalar(1.0), won]), ofSecond]),
        ]);
        // Ties go by the summed decisions, which count for less than a vote.
        var sums = Node("MatMul", $"{name}/decision_sums", [decisions, Node("Sub", $"{name}/signs", [ofFirst, ofSecond])]);
        var damped = Node("Mul", $"{name}/damping", [Node("Add", $"{name}/damping_1", [Node("Abs", $"{name}/damping_0", [sums]), Scalar(1.0)]), Scalar(3.0)]);
        var ranked = Node("Add", $"{name}/ranked", [votes, Node("Div", $"{name}/ties", [sums, damped])]);
        long[] numbers = [.. Enumerable.Range(0, op.Classes).Select(label => (long)label)];
        var classes = Constant($"{name}/class_numbers", numbers);
        var isWinner = Node("Equal", $"{name}/is_winner", [Node("ArgMax", $"{name}/winner", [ranked], Of("axis", 1), Of("keepdims", 1)), classes]);
        var isLargest = Node("Equal", $"{name}/is_largest", [Node("ArgMax", $"{name}/place", [coupled], Of("axis", 1), Of("keepdims", 1)), classes]);
        var ofWinner = Node("ReduceSum", $"{name}/of_winner",
            [Node("Mul", $"{name}/only_winner", [coupled, Node("Cast", $"{name}/winner_mask", [isWinner], To(DataType.Double))]), Constant("constant/axis_1", [1])], Of("keepdims", 1));
        var largest = Node("Mul", $"{name}/largest_up",
            [Node("ReduceMax", $"{name}/largest", [coupled, Constant("constant/axis_1", [1])], Of("keepdims", 1)), Scalar(1 + 1e-6)]);
        return Node("Where", $"{name}/exchanged", [isWinner, largest, Node("Where", $"{name}/taken", [isLargest, ofWinner, coupled])]);
    }

    /// <summary>
    /// Wu, Lin and Weng's coupling: p minimizes pᵀQp with sum 1, Q_ii = Σ r_ji², Q_ij = −r_ij·r_ji. Since 1ᵀp = 1, it is the solution of
    /// (Q + 11ᵀ)p = 1, scaled to sum 1; that matrix is positive definite, so Gauss-Jordan elimination needs no pivoting.
    /// </summary>
    private string Couple(string name, string matrix, string turned, int classes)
    {
        var identity = new double[classes * classes];
        for (var i = 0; i < classes; i++) identity[i * classes + i] = 1;
        var products = Node("Mul", $"{name}/products", [matrix, turned]);
        var sums = Node("ReduceSum", $"{name}/diagonal",
            [Node("Mul", $"{name}/turned_squares", [turned, turned]), Constant("constant/axis_2", [2])], Of("keepdims", 1)); // [N, classes, 1]
        var diagonal = Node("Mul", $"{name}/diagonal_matrix", [sums, Constant($"{name}/identity", identity, [1, classes, classes])]);
        var q = Node("Sub", $"{name}/q", [diagonal, products]);
        var definite = Node("Add", $"{name}/definite", [q, Scalar(1.0)]);
        // The right-hand side, ones, as one more column.
        var right = Node("Add", $"{name}/right", [Node("Mul", $"{name}/right_zero", [sums, Scalar(0.0)]), Scalar(1.0)]);
        var system = Node("Concat", $"{name}/system", [definite, right], Of("axis", 2)); // [N, classes, classes + 1]
        for (var i = 0; i < classes; i++)
        {
            var unit = new double[classes];
            unit[i] = 1;
            var index = Constant($"constant/indices_{i}", [i]);
            var row = Node("Gather", $"{name}/row_{i}", [system, index], Of("axis", 1)); // [N, 1, classes + 1]
            var column = Node("Gather", $"{name}/column_{i}", [system, index], Of("axis", 2)); // [N, classes, 1]
            var scaled = Node("Div", $"{name}/row_scaled_{i}", [row, Node("Gather", $"{name}/pivot_{i}", [row, index], Of("axis", 2))]);
            var factors = Node("Sub", $"{name}/factors_{i}", [column, Constant($"{name}/unit_{i}", unit, [1, classes, 1])]);
            system = Node("Sub", $"{name}/system_{i}", [system, Node("Mul", $"{name}/eliminated_{i}", [factors, scaled])]);
        }
        var last = Node("Gather", $"{name}/solution_column", [system, Constant($"{name}/last_column", [classes])], Of("axis", 2));
        var solution = Node("Max", $"{name}/solution", [Node("Reshape", $"{name}/solution_row", [last, Constant($"{name}/row_shape", [-1, classes])]), Scalar(0.0)]);
        var total = Node("ReduceSum", $"{name}/total", [solution, Constant("constant/axis_1", [1])], Of("keepdims", 1));
        return Node("Div", $"{name}/coupled", [solution, total]);
    }

    /// <summary>[N, features] and rows → [N, rows]; at least 0.</summary>
    private string SquaredDistances(string name, string x, float[] rows, int features)
    {
        // Distances do not change when both move; near the origin fewer digits cancel.
        var count = rows.Length / features;
        var (center, squares) = (new double[features], new double[count]);
        for (var index = 0; index < rows.Length; index++) center[index % features] += rows[index] / (double)count;
        for (var index = 0; index < rows.Length; index++)
        {
            var difference = rows[index] - center[index % features];
            squares[index / features] += difference * difference;
        }
        var middle = Constant($"{name}/center", center, [1, features]);
        var moved = Node("Sub", $"{name}/centered", [x, middle]);
        var others = Node("Sub", $"{name}/centered_rows", [AsDouble($"{name}/rows", rows, [count, features]), middle]);
        var products = Node("MatMul", $"{name}/row_products", [moved, Node("Transpose", $"{name}/columns", [others], Of("perm", [1, 0]))]);
        var own = Node("ReduceSum", $"{name}/own_squares",
            [Node("Mul", $"{name}/centered_squares", [moved, moved]), Constant("constant/axis_1", [1])], Of("keepdims", 1));
        var sum = Node("Add", $"{name}/sum_of_squares", [own, Constant($"{name}/row_squares", squares, [1, count])]);
        var distances = Node("Sub", $"{name}/squared_distances", [sum, Node("Mul", $"{name}/twice", [products, Scalar(2.0)])]);
        return Node("Max", $"{name}/distances_from_0", [distances, Scalar(0.0)]);
    }

    /// <summary>float32 numbers, which take half the room in the file, as float64.</summary>
    private string AsDouble(string name, float[] values, IReadOnlyList<int> shape) =>
        Node("Cast", $"{name}/double", [Constant(name, values, shape)], To(DataType.Double));

    private string Double(string name, string x) => Node("Cast", $"{name}/x", [x], To(DataType.Double));

    private string Single(string name, string x) => Node("Cast", name, [x], To(DataType.Float));

    private string Logarithms(string name, string probabilities) => Single(name, Node("Log", $"{name}/log",
        [Node("Max", $"{name}/not_zero", [probabilities, Scalar(TorchClassifiers.SmallestProbability)])]));
}
