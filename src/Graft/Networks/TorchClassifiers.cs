using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>
/// What a <see cref="ClassifierOperation"/> computes, by torch. Distances and sums over a thousand features lose digits in float32, so all is
/// float64 up to the result.
/// </summary>
internal static class TorchClassifiers
{
    /// <summary>The logarithm of a probability of 0, so that a loss stays a number: the smallest normal float32's.</summary>
    internal const double SmallestProbability = 1.1754944e-38;

    /// <summary>Platt's sigmoids are kept this far from 0 and 1 before they are coupled, as in LIBSVM.</summary>
    internal const double SmallestPairProbability = 1e-7;

    /// <summary>float32 features [N, features] → float32 logarithms of probabilities [N, classes].</summary>
    public static Tensor LogProbabilities(GaussianBayes operation, Tensor features, Func<ParameterRole, Tensor> weight) => InDouble(
        features, weight, (x, values) => WithTails(
                JointLogLikelihoods(x, values(ParameterRole.ClassMeans), values(ParameterRole.ClassVariances), values(ParameterRole.LogPriors)),
                operation.TailScale)
            .log_softmax(1));

    /// <inheritdoc cref="LogProbabilities(GaussianBayes, Tensor, Func{ParameterRole, Tensor})"/>
    public static Tensor LogProbabilities(NormalizedClassMeans operation, Tensor features, Func<ParameterRole, Tensor> weight) => InDouble(
        features, weight, (x, values) => (SquaredDistances(
            Normalize(x, values(ParameterRole.MovingMean)), values(ParameterRole.ClassMeans)) * Number(-0.5)).log_softmax(1));

    /// <inheritdoc cref="LogProbabilities(GaussianBayes, Tensor, Func{ParameterRole, Tensor})"/>
    public static Tensor LogProbabilities(NeighborVotes operation, Tensor features, Func<ParameterRole, Tensor> weight) => InDouble(
        features, weight, (x, values) => LogShares(operation, x, values(ParameterRole.Examples), weight(ParameterRole.ExampleLabels)));

    /// <inheritdoc cref="LogProbabilities(GaussianBayes, Tensor, Func{ParameterRole, Tensor})"/>
    public static Tensor LogProbabilities(RbfMachine operation, Tensor features, Func<ParameterRole, Tensor> weight) => InDouble(
        features, weight, (x, values) => LogProbabilities(
            PairDecisions(operation, x, values(ParameterRole.Examples), values(ParameterRole.Coefficients), values(ParameterRole.Offsets)),
            values(ParameterRole.Calibration), operation.Classes));

    /// <inheritdoc cref="LogProbabilities(GaussianBayes, Tensor, Func{ParameterRole, Tensor})"/>
    public static Tensor LogProbabilities(SoftmaxVotes operation, Tensor features, Func<ParameterRole, Tensor> weight) => InDouble(
        features, weight, (x, values) => x.mm(values(ParameterRole.Factors).t()).Increase(values(ParameterRole.Offsets))
            .view(-1, operation.Members, operation.Classes).softmax(2)
            .mul_(values(ParameterRole.Coefficients).view(1, operation.Members, 1)).sum(1)
            .clamp_min_(Number(SmallestProbability)).log_());

    private static Tensor InDouble(
        Tensor features, Func<ParameterRole, Tensor> weight, Func<Tensor, Func<ParameterRole, Tensor>, Tensor> logarithms)
    {
        using var scope = NewDisposeScope();
        return logarithms(features.to_type(ScalarType.Float64), role => weight(role).to_type(ScalarType.Float64))
            .to_type(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <summary>log p(class) + log p(x | class): [N, features], means and variances [classes, features] → [N, classes].</summary>
    public static Tensor JointLogLikelihoods(Tensor x, Tensor means, Tensor variances, Tensor logPriors)
    {
        using var scope = NewDisposeScope();
        var columns = new List<Tensor>();
        for (var label = 0; label < means.shape[0]; label++)
        {
            using var inner = NewDisposeScope();
            var difference = x - means[label];
            var distance = difference.mul_(difference).div_(variances[label]).sum(1);
            var logarithm = (variances[label] * Number(2 * Math.PI)).log().sum();
            columns.Add((logPriors[label] - distance.Plus(logarithm) * Number(0.5)).MoveToOuterDisposeScope());
        }
        return stack(columns, 1).MoveToOuterDisposeScope();
    }

    /// <summary>Joint log-likelihoods [N, classes] as <see cref="GaussianBayes.TailScale"/> says; a scale of 0 leaves them.</summary>
    public static Tensor WithTails(Tensor logLikelihoods, double scale) => scale == 0
        ? logLikelihoods.alias()
        : ((logLikelihoods.amax([1], keepdim: true) - logLikelihoods) * Number(scale)).log1p_().neg_();

    /// <summary>The nearest examples, nearest first, and of equally near ones the first: distances and numbers, both [N, count].</summary>
    public static (Tensor Distances, Tensor Indices) Nearest(Tensor x, Tensor examples, int count)
    {
        using var scope = NewDisposeScope();
        var (sorted, order) = SquaredDistances(x, examples).sort(dim: 1, stable: true);
        return (
            sorted.narrow(1, 0, count).sqrt().MoveToOuterDisposeScope(), order.narrow(1, 0, count).contiguous().MoveToOuterDisposeScope());
    }

    /// <summary>
    /// The outputs of the machines of all pairs of classes, above 0 for the first class: [N, pairs], in the order (0, 1), (0, 2), ….
    /// </summary>
    public static Tensor PairDecisions(RbfMachine machine, Tensor x, Tensor vectors, Tensor coefficients, Tensor offsets)
    {
        using var scope = NewDisposeScope();
        var kernel = SquaredDistances(x, vectors).mul_(Number(-machine.Gamma)).exp_();
        var byClass = new List<Tensor>(); // [N, classes − 1]: the class's vectors in each of its pairs
        var first = 0L;
        foreach (var count in machine.SupportVectors)
        {
            byClass.Add(kernel.narrow(1, first, count).mm(coefficients.narrow(1, first, count).t()));
            first += count;
        }
        var columns = new List<Tensor>();
        for (var i = 0; i < machine.Classes; i++)
            for (var j = i + 1; j < machine.Classes; j++)
                columns.Add(byClass[i].select(1, j - 1).Plus(byClass[j].select(1, i)));
        return stack(columns, 1).Increase(offsets).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// How many pairs each class wins and, between classes of as many, how clearly: scikit-learn's <c>decision_function</c>.
    /// [N, pairs] → [N, classes].
    /// </summary>
    public static Tensor Votes(Tensor decisions, int classes)
    {
        using var scope = NewDisposeScope();
        var votes = zeros([decisions.shape[0], classes], ScalarType.Float64);
        var sums = zeros_like(votes);
        var pair = 0;
        for (var i = 0; i < classes; i++)
        {
            for (var j = i + 1; j < classes; j++)
            {
                var decision = decisions.select(1, pair++);
                var first = decision.ge(Number(0)).to_type(ScalarType.Float64);
                votes.select(1, i).Increase(first);
                votes.select(1, j).Increase(first.neg().Increase(1));
                sums.select(1, i).Increase(decision);
                sums.select(1, j).sub_(decision);
            }
        }
        return votes.Increase(sums / (sums.abs().Plus(1) * Number(3))).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Logarithms of the coupled probabilities, the largest of which belongs to the class with the most votes: where it would belong to
    /// another, the two exchange theirs. [N, pairs], sigmoids [pairs, 2] → [N, classes].
    /// </summary>
    public static Tensor LogProbabilities(Tensor decisions, Tensor sigmoids, int classes)
    {
        using var scope = NewDisposeScope();
        var coupled = Couple(PairProbabilities(decisions, sigmoids), classes);
        var winner = Votes(decisions, classes).argmax(1, keepdim: true);
        var (largest, place) = coupled.max(1, keepdim: true);
        var exchanged = coupled.scatter(1, place, coupled.gather(1, winner)).scatter_(1, winner, largest);
        // Of equal probabilities the first would be predicted.
        exchanged = exchanged.scatter(1, winner, largest * Number(1 + 1e-6));
        return exchanged.clamp_min(Number(SmallestProbability)).log().MoveToOuterDisposeScope();
    }

    /// <summary>Platt's 1 / (1 + exp(A·f + B)): the probability of the first class of each pair, [N, pairs].</summary>
    public static Tensor PairProbabilities(Tensor decisions, Tensor calibration)
    {
        using var scope = NewDisposeScope();
        return (decisions * calibration.select(1, 0)).Plus(calibration.select(1, 1)).neg_().sigmoid_()
            .clamp_(Number(SmallestPairProbability), Number(1 - SmallestPairProbability)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Class probabilities p that agree best with those of the pairs: they minimize Σ (r_ji·p_i − r_ij·p_j)² over the pairs, with sum 1 (Wu,
    /// Lin and Weng 2004, "Probability estimates for multi-class classification by pairwise coupling", (16)), by its linear system (21).
    /// [N, pairs] → [N, classes].
    /// </summary>
    public static Tensor Couple(Tensor pairs, int classes)
    {
        using var scope = NewDisposeScope();
        var count = pairs.shape[0];
        var system = zeros([count, classes + 1, classes + 1], ScalarType.Float64);
        var diagonal = zeros([count, classes], ScalarType.Float64);
        var pair = 0;
        for (var i = 0; i < classes; i++)
        {
            for (var j = i + 1; j < classes; j++)
            {
                var ij = pairs.select(1, pair++);
                var ji = ij.neg().Increase(1);
                var product = (ij * ji).neg_();
                system.select(1, i).select(1, j).copy_(product);
                system.select(1, j).select(1, i).copy_(product);
                diagonal.select(1, i).Increase(ji * ji);
                diagonal.select(1, j).Increase(ij * ij);
            }
        }
        for (var i = 0; i < classes; i++)
        {
            system.select(1, i).select(1, i).copy_(diagonal.select(1, i));
            system.select(1, i).select(1, classes).fill_(Number(1));
            system.select(1, classes).select(1, i).fill_(Number(1));
        }
        var right = zeros([count, classes + 1, 1], ScalarType.Float64);
        right.select(1, classes).fill_(Number(1));
        var solution = linalg.solve(system, right).squeeze(2).narrow(1, 0, classes).clamp_min(Number(0));
        return (solution / solution.sum(1, keepdim: true)).MoveToOuterDisposeScope();
    }

    /// <summary>Centered rows of length 1; a row at the center stays there.</summary>
    public static Tensor Normalize(Tensor x, Tensor center)
    {
        using var scope = NewDisposeScope();
        var moved = x - center;
        return (moved / moved.Squared().sum(1, keepdim: true).sqrt_().clamp_min_(Number(1e-12))).MoveToOuterDisposeScope();
    }

    /// <summary>[N, features], [M, features] → [N, M]; at least 0.</summary>
    internal static Tensor SquaredDistances(Tensor x, Tensor y)
    {
        using var scope = NewDisposeScope();
        // Distances do not change when both move; near the origin fewer digits cancel.
        var center = y.mean([0], keepdim: true);
        var (a, b) = (x - center, y - center);
        return a.mm(b.t()).mul_(Number(-2)).Increase((a * a).sum(1, keepdim: true)).Increase((b * b).sum(1).unsqueeze(0)).clamp_min_(Number(0))
            .MoveToOuterDisposeScope();
    }

    private static Tensor LogShares(NeighborVotes votes, Tensor x, Tensor examples, Tensor labels)
    {
        using var scope = NewDisposeScope();
        var (_, nearest) = Nearest(x, examples, votes.Neighbors);
        var classes = labels.to_type(ScalarType.Int64).index_select(0, nearest.flatten()).view(nearest.shape);
        var all = votes.Neighbors + votes.PriorVotes * votes.Classes;
        var shares = full([x.shape[0], votes.Classes], Number(votes.PriorVotes / all), ScalarType.Float64);
        shares.scatter_add_(1, classes, full(nearest.shape, Number(1 / all), ScalarType.Float64));
        return shares.clamp_min_(Number(SmallestProbability)).log_().MoveToOuterDisposeScope();
    }
}
