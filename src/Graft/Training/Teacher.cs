using Graft.Data;
using Graft.Features;

namespace Graft.Training;

/// <summary>A trained model whose answers another network learns from.</summary>
internal interface ITeacher
{
    /// <summary>Equal for the same answers, and different otherwise.</summary>
    string Fingerprint { get; }

    /// <summary>Its answers to photos as they are, and to views of them that the student sees too.</summary>
    /// <param name="images">That can be read.</param>
    /// <param name="bank">Null for the photos alone.</param>
    /// <param name="withFeatures">Whether features are answered beside logits.</param>
    /// <exception cref="GraftException">A photo cannot be read any more.</exception>
    TeacherAnswers Answers(IReadOnlyList<LabeledImage> images, ViewBank? bank, bool withFeatures, FineTuningContext context, CancellationToken cancellation);
}

/// <summary>What a teacher says of photos.</summary>
/// <param name="Plain">Of each photo the logits and, where asked for, the features.</param>
/// <param name="Views">The same of each view.</param>
internal sealed record TeacherAnswers(IReadOnlyList<float[][]> Plain, IReadOnlyList<IReadOnlyList<float[][]>> Views, int CacheHits, int CacheMisses);

/// <summary>Examples with a teacher's answer to the very view that is read.</summary>
internal sealed class TaughtExamples(IExamples examples, TeacherAnswers answers) : IExamples, IDisposable
{
    public int Count => examples.Count;

    public bool TakesTime => examples.TakesTime;

    public int LabelOf(int index) => examples.LabelOf(index);

    public float WeightOf(int index) => examples.WeightOf(index);

    public IReadOnlyList<float[]> TargetsOf(int index, int epoch) =>
        (epoch == 0 || answers.Views.Count == 0 ? answers.Plain : answers.Views[(epoch - 1) % answers.Views.Count])[index];

    public void Read(int index, int epoch, Span<float> input) => examples.Read(index, epoch, input);

    public void ReadBatch(IReadOnlyList<int> indices, int epoch, Span<float> inputs) => examples.ReadBatch(indices, epoch, inputs);

    public void Dispose() => (examples as IDisposable)?.Dispose();
}
