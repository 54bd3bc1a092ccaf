using Graft.Classifiers;
using Graft.Testing;
using Graft.Transfer;
using static TorchSharp.torch;

namespace Graft.ParityTests.Transfer;

/// <summary>Against numpy, scipy, scikit-learn and adapt in float64; index.json beside the fixtures says how each was made.</summary>
public sealed class TransferFixtureTests : IDisposable
{
    private const string Folder = "reference/transfer/fixtures";

    private readonly TorchSharp.DisposeScope _scope;

    public TransferFixtureTests()
    {
        Graft.Networks.LibtorchLoader.Require();
        _scope = NewDisposeScope();
    }

    public void Dispose() => _scope.Dispose();

    /// <summary>adapt centers nothing; the map is the same.</summary>
    [SharedTheory(Folder)]
    [InlineData("coral_reg1")]
    [InlineData("coral_reg1e-05")]
    public void Coral_is_adapt_s(string file)
    {
        var (source, target) = (Matrix(file, "xs"), Matrix(file, "xt"));
        var ridge = Number(file, "reg");

        var map = new Coral().Map(Ridged(source, ridge), Ridged(target, ridge));

        AssertClose(Matrix(file, "A"), map, 1e-9);
        AssertClose(Matrix(file, "xs_new"), source.mm(map), 1e-9);
    }

    [SharedFact(Folder)]
    public void Linear_Monge_map_is_the_closed_form()
    {
        var (source, target) = (Matrix("linear_monge", "xs"), Matrix("linear_monge", "xt"));

        var map = new LinearMonge().Map(PrincipalAxes.Covariance(source), PrincipalAxes.Covariance(target));

        AssertClose(Matrix("linear_monge", "A"), map, 1e-7);
        AssertClose(Matrix("linear_monge", "xs_new"), (source - source.mean([0], keepdim: true)).mm(map) + target.mean([0], keepdim: true), 1e-7);
    }

    /// <summary>In the layers of a model, float32; with fewer photos than features too, where it is computed in their span.</summary>
    [Theory]
    [InlineData(60)]
    [InlineData(4)]
    public void Coral_of_a_model_gives_the_source_the_covariance_of_the_target(int photos)
    {
        var random = new Random(1);
        float[][] Rows(double scale, double shift) =>
            [.. Enumerable.Range(0, photos).Select(_ => Enumerable.Range(0, 20).Select(axis => (float)(random.NextDouble() * scale * (axis + 1) + shift)).ToArray())];
        var (source, target) = (Rows(1, 0), Rows(3, 5));
        var data = new TransferData { Source = source, SourceLabels = [.. source.Select((_, row) => row % 2)], Unlabeled = target, Classes = 2 };
        var coral = new Coral { Ridge = 1e-3, UnitFeatures = false };
        var (xs, xt) = (TransferData.Matrix(source), TransferData.Matrix(target));
        using var inference = no_grad();

        var layer = coral.Align(xs, xt, data, new(1, null, TestContext.Current.CancellationToken)).Source.Single();

        var center = tensor(layer.Values[Graft.Networks.ParameterRole.Center]).to_type(ScalarType.Float64);
        var factors = tensor(layer.Values[Graft.Networks.ParameterRole.Factors]).view(20, 20).to_type(ScalarType.Float64);
        var moved = (xs - center).mm(factors.t()) + tensor(layer.Values[Graft.Networks.ParameterRole.Shift]).to_type(ScalarType.Float64);
        AssertClose(xt.mean([0]), moved.mean([0]), 1e-4 * 20);
        if (photos == 4) return;
        // All but what the ridge adds.
        var wanted = PrincipalAxes.Covariance(xt);
        AssertClose(wanted, PrincipalAxes.Covariance(moved), 0.02 * wanted.abs().max().item<double>());
    }

    [SharedFact(Folder)]
    public void Subspace_alignment_is_that_of_principal_components()
    {
        var (source, target) = (Matrix("subspace_alignment", "xs"), Matrix("subspace_alignment", "xt"));
        var (ofSource, ofTarget, from, to) = new SubspaceAlignment { Components = (int)Number<long>("subspace_alignment", "k") }.Maps(source, target);

        var (zs, zt) = ((source - from).mm(ofSource), (target - to).mm(ofTarget));

        AssertClose(Matrix("subspace_alignment", "kernel"), zs.mm(zt.t()), 1e-8);
        AssertClose(Matrix("subspace_alignment", "kernel_ss"), zs.mm(zs.t()), 1e-8);
    }

    [SharedFact(Folder)]
    public void Transfer_components_are_those_of_the_dense_eigenproblem()
    {
        var method = new TransferComponentAnalysis { Components = 3, Lambda = 1, UnitFeatures = false, UnitComponents = false };

        var solution = method.Solve(Matrix("tca_linear", "xs"), Matrix("tca_linear", "xt"), Labels("tca_linear", "ys"), [], 3);

        AssertClose(Matrix("tca_linear", "gram"), solution.Components.mm(solution.Components.t()), 1e-6);
        AssertClose(Vector("tca_linear", "eigenvalues"), solution.Eigenvalues, 1e-6 * solution.Eigenvalues.max().item<double>());
        Assert.Equal(Labels("tca_linear", "labels"), solution.Labels[^1]);
    }

    [SharedFact(Folder)]
    public void Joint_distribution_adaptation_is_that_of_the_dense_eigenproblem()
    {
        var method = new JointDistributionAdaptation { Components = 3, Lambda = 1, Iterations = 4 };
        var (source, target) = (Matrix("jda_linear", "xs"), Matrix("jda_linear", "xt"));

        var solution = method.Solve(source, target, Labels("jda_linear", "ys"), [], 3);

        AssertClose(Matrix("jda_linear", "gram"), solution.Components.mm(solution.Components.t()), 1e-6);
        Assert.Equal(Labels("jda_linear", "labels"), solution.Labels.SelectMany(labels => labels));
        // New photos need no kernel.
        var x = cat([source, target], 0);
        var mapped = (x / x.norm(1, keepdim: true, p: 2)).mm(solution.Map);
        AssertClose(solution.Components, mapped / mapped.norm(1, keepdim: true, p: 2), 1e-9);
    }

    [SharedFact(Folder)]
    public void Density_ratio_by_logistic_regression_is_scikit_learn_s()
    {
        var weights = LogisticDensityRatio.InSample(Rows("logistic_density_ratio", "xs"), Rows("logistic_density_ratio", "xt"), 1);

        // scikit-learn's lbfgs stopped 7.9e-5 from the optimum that its newton-cg finds; weights go up to 8.3.
        AssertClose(Vector("logistic_density_ratio", "weights"), tensor(weights), 8e-5);
    }

    [SharedTheory(Folder)]
    [InlineData(0)]
    [InlineData(0.1)]
    [InlineData(0.5)]
    public void Least_squares_density_ratio_is_the_closed_form(double alpha)
    {
        const string file = "ulsif_rulsif";
        var name = FormattableString.Invariant($"alpha{alpha}");

        var (theta, weights) = LeastSquaresDensityRatio.Solve(
            Matrix(file, "xs"), Matrix(file, "xt"), Matrix(file, "centers"), Number(file, "gamma"), Number(file, "lam"), alpha);

        AssertClose(Vector(file, $"theta_{name}"), tensor(theta), 1e-8);
        AssertClose(Vector(file, $"w_{name}"), tensor(weights), 1e-8);
    }

    [SharedFact(Folder)]
    public void Kliep_comes_to_its_optimum()
    {
        var target = Matrix("kliep", "xt");

        var (objective, weights) = Kliep.Solve(Matrix("kliep", "xs"), target, target, Number("kliep", "gamma"));

        Assert.Equal(Number("kliep", "J"), objective, 1e-8);
        Assert.Equal(1, weights.Average(), 1e-9);
        AssertClose(Vector("kliep", "weights_src"), tensor(weights), 1e-4 * weights.Max());
    }

    [SharedFact(Folder)]
    public void TrAdaBoost_takes_adapt_s_course()
    {
        const string file = "tradaboost_soft";
        int[] labels = [.. Labels(file, "ys"), .. Labels(file, "yt")];
        var features = FeatureMatrix.Of([.. Rows(file, "xs"), .. Rows(file, "xt")], labels, 3);
        var learner = new LogisticRegression { Standardize = false, Calibrate = false, Tolerance = 1e-9 };
        using var inference = no_grad();

        var course = new TrAdaBoost().Boost(features, Labels(file, "ys").Length, learner, new(1, null, TestContext.Current.CancellationToken));

        AssertClose(Vector(file, "errors"), tensor(course.Errors.ToArray()), 1e-5);
        // scikit-learn's newton-cg in the place of its lbfgs differs by 1.07e-5 from the fixture.
        AssertClose(Matrix(file, "weights"), tensor(course.Weights.SelectMany(weights => weights).ToArray()), 1.2e-5);
        var test = Rows(file, "x_test");
        var data = new TransferData
        {
            Source = Rows(file, "xs"),
            SourceLabels = Labels(file, "ys"),
            Target = Rows(file, "xt"),
            TargetLabels = Labels(file, "yt"),
            Classes = 3,
        };
        var fitted = new TrAdaBoost().Fit(data, learner, cancellation: TestContext.Current.CancellationToken).Classifier;
        var probabilities = fitted.Outputs(FeatureMatrix.Of(test, Labels(file, "y_test"), 3)).softmax(1).ToDoubles();
        var votes = course.Votes.Sum();
        AssertClose(Matrix(file, "scores"), (tensor(probabilities) * votes).view(-1, 3), 1e-3);
        Assert.Equal(Labels(file, "labels"), probabilities.Chunk(3).Select(row => Array.IndexOf(row, row.Max())));
    }

    private static Tensor Ridged(Tensor rows, double ridge) => CovarianceAlignment.WithRidge(PrincipalAxes.Covariance(rows), ridge);

    private static void AssertClose(Tensor expected, Tensor actual, double tolerance) =>
        Assert.InRange((expected - actual.reshape(expected.shape)).abs().max().item<double>(), 0, tolerance);

    private static string File(string name) => SharedFolder.Path($"{Folder}/{name}.npz");

    private static Tensor Matrix(string file, string name)
    {
        var array = NumpyFile.Load<double>(File(file), name);
        return tensor(array.Values).view(array.Shape[0], array.Shape[1]);
    }

    private static Tensor Vector(string file, string name) => tensor(Values(file, name));

    private static double[] Values(string file, string name) => NumpyFile.Load<double>(File(file), name).Values;

    private static double Number(string file, string name) => Values(file, name).Single();

    private static T Number<T>(string file, string name) where T : unmanaged => NumpyFile.Load<T>(File(file), name).Values.Single();

    private static float[][] Rows(string file, string name)
    {
        var array = NumpyFile.Load<double>(File(file), name);
        return [.. array.Values.Select(value => (float)value).Chunk(array.Shape[1])];
    }

    private static int[] Labels(string file, string name) => [.. NumpyFile.Load<long>(File(file), name).Values.Select(label => (int)label)];
}
