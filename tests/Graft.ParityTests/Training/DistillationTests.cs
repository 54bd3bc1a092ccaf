using Graft.Testing;
using Graft.Training;
using static TorchSharp.torch;

namespace Graft.ParityTests.Training;

/// <summary>Values and gradients of PyTorch in float64, by the formulas of RKD's and RepDistiller's authors.</summary>
public class DistillationTests
{
    private const string Folder = "reference/transfer/fixtures";

    static DistillationTests() => Graft.Networks.LibtorchLoader.Require();

    [SharedTheory(Folder)]
    [InlineData(1)]
    [InlineData(4)]
    public void Softened_probabilities_are_learned_as_the_reference_does(int temperature) => Compare(
        "distillation", "student_logits", "teacher_logits", $"kd_T{temperature}", (student, teacher) => Distillation.OfLogits(student, teacher, temperature), 1e-10);

    [SharedFact(Folder)]
    public void Labels_and_teacher_share_the_loss()
    {
        using var scope = NewDisposeScope();
        var labels = NumpyFile.Load<long>(SharedFolder.Path($"{Folder}/distillation.npz"), "labels").Values;

        Compare("distillation", "student_logits", "teacher_logits", "total_grad", "total_a0.9_T4", (student, teacher) =>
        {
            Batch batch = new([.. Enumerable.Range(0, labels.Length)], tensor(labels), [teacher], null);
            return new Distillation(new(), layer: null, new CrossEntropy()).Loss(student, batch);
        }, 1e-10);
    }

    [SharedTheory(Folder)]
    [InlineData("rkd_distance")]
    [InlineData("rkd_angle")]
    [InlineData("similarity_preserving")]
    public void Relations_are_learned_as_the_reference_does(string term) => Compare("relational_distillation", "student", "teacher", term, (student, teacher) => term switch
    {
        "rkd_distance" => Distillation.OfDistances(student, teacher),
        "rkd_angle" => Distillation.OfAngles(student, teacher),
        _ => Distillation.OfSimilarity(student, teacher),
    }, 1e-9);

    [SharedFact(Folder)]
    public void Covariances_of_two_sources_differ_as_the_reference_says() => Compare("deep_coral_loss", "fs", "ft", "grad_s", "loss", DeepCoral.Difference, 1e-10);

    private static void Compare(string file, string student, string teacher, string term, Func<Tensor, Tensor, Tensor> loss, double tolerance) =>
        Compare(file, student, teacher, $"{term}_grad", term, loss, tolerance);

    private static void Compare(string file, string student, string teacher, string gradient, string value, Func<Tensor, Tensor, Tensor> loss, double tolerance)
    {
        using var scope = NewDisposeScope();
        var (own, other) = (Matrix(file, student).requires_grad_(), Matrix(file, teacher));

        var found = loss(own, other);
        found.backward();

        Assert.Equal(NumpyFile.Load<double>(SharedFolder.Path($"{Folder}/{file}.npz"), value).Values.Single(), found.data<double>()[0], tolerance);
        Assert.All(
            Matrix(file, gradient).data<double>().ToArray().Zip(own.grad!.data<double>().ToArray()), pair => Assert.Equal(pair.First, pair.Second, tolerance));
    }

    private static Tensor Matrix(string file, string name)
    {
        var data = NumpyFile.Load<double>(SharedFolder.Path($"{Folder}/{file}.npz"), name);
        return tensor(data.Values).view(data.Shape[0], data.Shape[1]);
    }
}
