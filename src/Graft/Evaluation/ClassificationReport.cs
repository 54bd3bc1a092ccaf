using System.Globalization;
using System.Text;

namespace Graft.Evaluation;

/// <summary>
/// Precision, recall and F1 of a class, or their average over classes; <paramref name="Support"/> counts the items that
/// truly belong there. A quotient without a denominator is 0, as in scikit-learn with <c>zero_division=0</c>.
/// </summary>
public sealed record ClassScore(string Name, double Precision, double Recall, double F1, int Support);

/// <summary>
/// Accuracy, and how well each class is told from the others. Numbers and text are those of scikit-learn's
/// <c>classification_report</c>; a class that never occurs scores 0 and counts in the macro average.
/// </summary>
public sealed record ClassificationReport
{
    private ClassificationReport(ConfusionMatrix matrix, IReadOnlyList<int> labels)
    {
        Classes = [.. labels.Select(label => Score(matrix.Classes[label], matrix, [label]))];
        Accuracy = Quotient(matrix.Correct, matrix.Total);
        MicroAverage = Score("micro avg", matrix, labels);
        MacroAverage = Average("macro avg", _ => 1);
        WeightedAverage = Average("weighted avg", score => score.Support);
        CoversAll = Enumerable.Range(0, matrix.Classes.Count).Except(labels)
            .All(label => matrix.Support(label) == 0 && matrix.Predicted(label) == 0);
    }

    /// <summary>Reports on the classes <paramref name="labels"/>, in this order; on all without it.</summary>
    public static ClassificationReport Of(ConfusionMatrix matrix, IReadOnlyList<int>? labels = null) =>
        new(matrix, labels ?? [.. Enumerable.Range(0, matrix.Classes.Count)]);

    /// <summary>The share of all items, also of classes not reported on, that were recognized.</summary>
    public double Accuracy { get; }

    public IReadOnlyList<ClassScore> Classes { get; }

    /// <summary>Over all items of the reported classes; equal to the accuracy where these are all that occur.</summary>
    public ClassScore MicroAverage { get; }

    /// <summary>Every class counts the same.</summary>
    public ClassScore MacroAverage { get; }

    /// <summary>Every class counts by its support.</summary>
    public ClassScore WeightedAverage { get; }

    /// <summary>Whether these classes are all that occur; if not, the text has a micro average instead.</summary>
    public bool CoversAll { get; }

    /// <summary>The table as scikit-learn prints it, with '\n' line ends.</summary>
    /// <param name="digits">Decimal places of the scores, 0 or more.</param>
    public string ToText(int digits = 2)
    {
        var width = Classes.Append(WeightedAverage).Select(score => Length(VisibleText.Of(score.Name))).Append(digits).Max();
        var text = new StringBuilder();
        Line("", "precision", "recall", "f1-score", "support");
        text.Append('\n');
        foreach (var score in Classes) ScoreLine(score);
        text.Append('\n');
        if (CoversAll) Line("accuracy", "", "", Number(Accuracy), Count(MicroAverage));
        else ScoreLine(MicroAverage);
        ScoreLine(MacroAverage);
        ScoreLine(WeightedAverage);
        return text.ToString();

        void ScoreLine(ClassScore score) =>
            Line(VisibleText.Of(score.Name), Number(score.Precision), Number(score.Recall), Number(score.F1), Count(score));

        void Line(string name, params ReadOnlySpan<string> cells)
        {
            text.Append(' ', width - Length(name)).Append(name).Append(' ');
            foreach (var cell in cells) text.Append(' ').Append(cell.PadLeft(9));
            text.Append('\n');
        }

        string Number(double value) => value.ToString($"F{digits}", CultureInfo.InvariantCulture);

        static string Count(ClassScore score) => score.Support.ToString(CultureInfo.InvariantCulture);

        static int Length(string name) => name.EnumerateRunes().Count();
    }

    public override string ToString() => ToText();

    private static ClassScore Score(string name, ConfusionMatrix matrix, IReadOnlyList<int> labels)
    {
        var hits = labels.Sum(label => matrix[label, label]);
        var predicted = labels.Sum(matrix.Predicted);
        var support = labels.Sum(matrix.Support);
        var f1 = Quotient(2.0 * hits, predicted + support);
        return new(name, Quotient(hits, predicted), Quotient(hits, support), f1, support);
    }

    private ClassScore Average(string name, Func<ClassScore, int> weight)
    {
        return new(name, Mean(score => score.Precision), Mean(score => score.Recall), Mean(score => score.F1),
            Classes.Sum(score => score.Support));

        double Mean(Func<ClassScore, double> value) =>
            Quotient(Classes.Sum(score => weight(score) * value(score)), Classes.Sum(weight));
    }

    private static double Quotient(double numerator, double denominator) =>
        denominator == 0 ? 0 : numerator / denominator;
}
